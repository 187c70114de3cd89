import csv
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from histocli.data.layouts import open_source
from histocli.data.phantom import write_phantom
from histocli.data.tiles import content_hash
from histocli.errors import InputError, SettingsError, SkippedInputsError
from histocli.preparation.normalize import JOURNAL_NAME, NormalizeResult, normalize_tiles
from histocli.preparation.setup import make_normalizer, make_record
from histocli.run_record import RunRecord
from histocli.stain import MacenkoNormalizer


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("normalize") / "data"
    write_phantom(folder, tiles=80, seed=2)
    # A lossy tile: its normalised twin must not lose more.
    first = next((folder / "train" / "tumor").glob("*.png"))
    Image.open(first).save(folder / "train" / "tumor" / "lossy.jpg", quality=95)
    return folder


def normalize(source: Path, output: Path, **changes: object) -> NormalizeResult:
    tiles = open_source(source)
    normalizer = MacenkoNormalizer()
    digest = content_hash(tiles, range(len(tiles.tiles)))
    record = make_record(source, digest, len(tiles.tiles), normalizer, 0, "cpu")
    options: dict[str, object] = {"batch_size": 16, **changes}
    return normalize_tiles(tiles, output, normalizer, record, **options)  # type: ignore[arg-type]


def tree(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "run.json"
    }


def test_layout_tables_and_pixels_are_kept(data: Path, tmp_path: Path) -> None:
    result = normalize(data, tmp_path / "out")
    assert len(result.skipped) == 1
    assert result.tiles == len(open_source(data).tiles)
    with (tmp_path / "out" / "manifest.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == result.tiles - 1
    lossy = next(row for row in rows if row["source"].endswith("lossy.jpg"))
    assert lossy["tile"] == "train/tumor/lossy.png"
    for row in rows:
        raw = np.asarray(Image.open(data / row["source"]).convert("RGB"))
        expected = MacenkoNormalizer().normalize(raw.transpose(2, 0, 1)[None])
        written = np.asarray(Image.open(tmp_path / "out" / row["tile"]))
        np.testing.assert_array_equal(written, expected.tiles[0].transpose(1, 2, 0))
        assert row["status"] == expected.status[0]
        if row["status"] == "ok":
            assert math.isclose(float(row["eosin_green"]), expected.stain_matrices[0][1, 1])
        else:
            assert row["eosin_green"] == ""
    again = open_source(tmp_path / "out")
    assert again.layout == "class-folders"
    assert {t.group for t in again.tiles} == {t.group for t in open_source(data).tiles}
    assert RunRecord.read(tmp_path / "out").results["by_status"] == dict(result.by_status)


@pytest.mark.parametrize("journal_share", [0.0, 0.3, 0.999])
def test_a_killed_run_continues_to_the_same_bytes(
    data: Path, tmp_path: Path, journal_share: float
) -> None:
    whole = normalize(data, tmp_path / "whole")

    class Killed(BaseException):
        pass

    done = 0

    def kill(number: int) -> None:
        nonlocal done
        done += number
        if done >= 48:
            raise Killed

    with pytest.raises(Killed):
        normalize(data, tmp_path / "killed", progress=kill)
    journal = tmp_path / "killed" / JOURNAL_NAME
    content = journal.read_bytes()
    journal.write_bytes(content[: int(len(content) * journal_share)])
    # A tile whose bytes rotted on disk is written anew.
    victim = next((tmp_path / "killed" / "train").rglob("*.png"))
    victim.write_bytes(victim.read_bytes()[:-20])
    result = normalize(data, tmp_path / "killed", batch_size=5, workers=1)
    assert result.by_status == whole.by_status
    assert tree(tmp_path / "killed") == tree(tmp_path / "whole")


def test_a_finished_run_is_not_repeated(data: Path, tmp_path: Path) -> None:
    first = normalize(data / "valid", tmp_path / "out")
    written = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")}
    again = normalize(data / "valid", tmp_path / "out")
    assert again.by_status == first.by_status
    assert again.already_done == first.tiles
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")} == written
    next((tmp_path / "out").rglob("*.png")).unlink()
    assert normalize(data / "valid", tmp_path / "out").already_done == 0


def test_outputs_are_never_mixed(data: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "note.txt").write_text("keep")
    with pytest.raises(SettingsError, match="did not write"):
        normalize(data, tmp_path / "mine")
    normalize(data / "valid", tmp_path / "out")
    with pytest.raises(SettingsError, match="inputs"):
        normalize(data / "test", tmp_path / "out")


def test_two_tiles_with_one_name_are_refused(tmp_path: Path) -> None:
    for name in ("a.jpg", "a.png"):
        (tmp_path / "in").mkdir(exist_ok=True)
        Image.new("RGB", (8, 8)).save(tmp_path / "in" / name)
    with pytest.raises(SettingsError, match=r"a\.jpg and a\.png would both become a\.png"):
        normalize(tmp_path / "in", tmp_path / "out")


def test_strict_and_hopeless_inputs(data: Path, tmp_path: Path) -> None:
    with pytest.raises(SkippedInputsError, match=r"skipped\.csv"):
        normalize(data, tmp_path / "strict", strict=True)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.png").write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"none of the 1 tiles.*a\.png"):
        normalize(tmp_path / "in", tmp_path / "out")


def test_reference_from_an_image_or_json(data: Path, tmp_path: Path) -> None:
    image = next((data / "train" / "tumor").glob("*.png"))
    shutil.copy(image, tmp_path / "reference.png")
    fitted = make_normalizer(reference=tmp_path / "reference.png")
    assert fitted.reference.name == "reference.png"
    fitted.reference.save(tmp_path / "reference.json")
    assert make_normalizer(reference=tmp_path / "reference.json") == fitted
    Image.new("RGB", (9, 9), "white").save(tmp_path / "white.png")
    with pytest.raises(InputError, match=r"white\.png: no usable stain"):
        make_normalizer(reference=tmp_path / "white.png")
