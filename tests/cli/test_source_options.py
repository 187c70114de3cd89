"""`--layout` and the tiling of slides on every command that reads tiles; slides through all of them."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from histocli.cli.app import app
from histocli.run_record import RunRecord
from histocli.settings import HistoSettings, SourceSection
from tests.data.layouts.examples import draw, encode, write_csv, write_file
from tests.data.layouts.slide_files import glass, write_slide

TRAIN = (
    *("--arch", "test_efficientnet", "--weights", "none", "--epochs", "1"),
    *("--input-size-px", "32", "--batch-size", "8", "--test-time-augmentation", "none"),
)
SMALL = ("--tile-size-px", "32", "--microns-per-pixel", "1.0")


def histo(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def ok(*arguments: object) -> str:
    result = histo(*arguments)
    assert result.exit_code == 0, (arguments, result.output)
    return result.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Class folders, a table that says the contrary, and a run trained on what the table says."""
    data = tmp_path_factory.mktemp("source") / "data"
    rows = []
    for number in range(36):
        name = f"{'ab'[number % 2]}/{number:02d}.png"
        tile = draw(1, number, 32)[0] // 2 + 90
        write_file(data / name, encode(tile))
        split = ("train", "train", "valid", "test")[number // 2 % 4]
        rows.append([name, "ba"[number % 2], f"p{number}", split])
    write_csv(data / "tiles.csv", ["tile", "label", "patient", "split"], rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(data.parent)
        ok("train", "data/tiles.csv", *TRAIN, "--name", "table", "--layout", "manifest")
    return data.parent


def test_every_command_with_a_source_has_the_options() -> None:
    reading = {
        name
        for name, field in HistoSettings.model_fields.items()
        if isinstance(field.default, SourceSection)
    }
    assert reading >= {
        *("normalize", "qc", "train", "predict", "evaluate", "explain"),
        *("data_describe", "data_index"),
    }
    for section in reading:
        text = ok(*section.split("_"), "--help")
        assert "--layout" in text, section
        assert "How SOURCE is read" in text, section


COMMANDS: dict[str, list[object]] = {
    "describe": ["data", "describe", "data", "--json"],
    "index": ["data", "index", "data", "--output", "i.csv", "--overwrite", "--json"],
    "normalize": ["normalize", "data", "--output", "n", "--overwrite", "--json"],
    "qc": ["qc", "data", "--output", "q", "--overwrite", "--json"],
    "train": ["train", "data", *TRAIN, "--name", "forced", "--overwrite", "--json"],
    "predict": ["predict", "table", "data", "--output", "p.csv", "--overwrite", "--json"],
    "evaluate": ["evaluate", "table", "--data", "data", "--json"],
    "explain": ["explain", "table", "--data", "data", "--tiles", "4", "--pictures", "2", "--json"],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_layout_is_forced_on_every_command(
    folder: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.chdir(folder)
    # As class folders the same files are read, as a zip none is.
    forced = histo(*COMMANDS[command], "--layout", "class-folders")
    assert forced.exit_code == 0, forced.output
    json.loads(forced.stdout)
    wrong = histo(*COMMANDS[command], "--layout", "zip")
    assert wrong.exit_code == 3
    assert "no tiles found as zip" in wrong.stderr
    unknown = histo(*COMMANDS[command], "--layout", "tar")
    assert unknown.exit_code == 2
    assert "unknown layout 'tar'; choose one of kaggle" in unknown.stderr
    tiling = histo(*COMMANDS[command], "--microns-per-pixel", "0.5")
    assert tiling.exit_code == 2
    assert "--microns-per-pixel, which says how slides are cut" in tiling.stderr


def test_the_layout_is_recorded_and_opens_the_runs_own_data_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    assert RunRecord.read(folder / "runs/table").inputs["data"]["layout"] == "manifest"
    ok("evaluate", "table")
    with (folder / "runs/table/evaluation/test/predictions.csv").open() as file:
        labels = {row["tile"][0]: row["label"] for row in csv.DictReader(file)}
    assert labels == {"a": "b", "b": "a"}
    ok("normalize", "data", "--output", "recorded", "--layout", "images")
    assert RunRecord.read(folder / "recorded").inputs["source"]["layout"] == "images"
    ok("qc", "data", "--output", "checked", "--layout", "images")
    assert RunRecord.read(folder / "checked").inputs["source"]["layout"] == "images"


@pytest.fixture(scope="module")
def slides(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight slides of two classes, named by a table: purple ones and pink ones."""
    folder = tmp_path_factory.mktemp("slides") / "data"
    rows = []
    for number in range(8):
        generator = np.random.default_rng(number)
        pixels = glass(512, 512)
        color = (150, 70, 160) if number % 2 else (220, 130, 170)
        noise = generator.normal(0, 12, (384, 384, 3))
        pixels[128:, 128:] = np.clip(np.array(color) + noise, 0, 255).astype(np.uint8)
        write_slide(folder / f"s{number}.svs", pixels, 0.5)
        split = ("train", "train", "valid", "test")[number // 2]
        rows.append([f"s{number}", ("pink", "purple")[number % 2], split])
    write_csv(folder / "labels.csv", ["slide", "label", "split"], rows)
    return folder


def test_slides_go_through_every_command(slides: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(slides.parent)
    facts = json.loads(ok("data", "describe", "data", *SMALL, "--json"))
    # Tissue of 384 pixels at 0.5 is 6 by 6 tiles of 32 pixels at 1.0, on a grid of 8 by 8.
    assert (facts["layout"], facts["tiles"]) == ("slides", 8 * 36)
    assert facts["details"]["s0.svs"] == {
        "tiles": 36,
        "microns_per_pixel": 0.5,
        "tile_microns_per_pixel": 1.0,
    }

    ok("normalize", "data", *SMALL)
    record = RunRecord.read(slides.parent / "data-normalized")
    assert record.inputs["source"]["slides"]["tile_size_px"] == 32
    with (slides.parent / "data-normalized/manifest.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 8 * 36
    assert rows[0]["tile"] == "s0-128-128.png"
    assert rows[0]["source"] == "s0.svs#128,128"
    assert (slides.parent / "data-normalized/s0-128-128.png").is_file()
    assert json.loads(ok("data", "describe", "data-normalized", "--json"))["tiles"] == 8 * 36
    again = json.loads(ok("normalize", "data", *SMALL, "--json"))
    assert again["already_done"] == 8 * 36
    # Other tiles than those that lie there.
    assert histo("normalize", "data", "--tile-size-px", "16").exit_code == 2

    ok("qc", "data", *SMALL)
    assert RunRecord.read(slides.parent / "data-qc").inputs["source"]["slides"]
    assert len((slides.parent / "data-qc/qc.csv").read_text().splitlines()) == 1 + 8 * 36

    trained = histo("train", "data", *TRAIN, *SMALL, "--name", "slides", "--stain", "macenko")
    assert trained.exit_code == 0, trained.output
    assert "reading data-normalized: it holds the train tiles" in trained.stderr
    tiling = RunRecord.read(slides.parent / "runs/slides").inputs["data"]["slides"]
    assert (tiling["microns_per_pixel"], tiling["tile_size_px"]) == (1.0, 32)
    # The run knows how its slides were cut, and new ones are cut in the same way.
    metrics = json.loads(ok("evaluate", "slides", "--json"))
    assert (metrics["tiles"], metrics["groups"]) == (2 * 36, 2)
    ok("predict", "slides", "data/s7.svs", "--output", "new.csv")
    with (slides.parent / "new.csv").open() as file:
        predicted = list(csv.DictReader(file))
    assert [row["tile"] for row in predicted[:2]] == ["s7.svs#128,128", "s7.svs#192,128"]
    assert len(predicted) == 36
    ok("predict", "slides", "data/s7.svs", "--output", "coarse.csv", "--microns-per-pixel", 2)
    assert len((slides.parent / "coarse.csv").read_text().splitlines()) == 1 + 9


def test_a_broken_slide_among_others_is_listed_by_every_command(
    slides: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("s0.svs", "s1.svs"):
        write_file(tmp_path / "data" / name, (slides / name).read_bytes())
    write_file(tmp_path / "data/broken.svs", (slides / "s0.svs").read_bytes()[:5000])
    result = histo("normalize", "data", *SMALL)
    assert result.exit_code == 0, result.output
    assert "1 tile could not be read" in result.stderr
    assert "broken.svs" in (tmp_path / "data-normalized/skipped.csv").read_text()
    assert histo("qc", "data", *SMALL, "--strict").exit_code == 4
