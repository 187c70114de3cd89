import csv
import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from histocli.cli.app import app
from histocli.data.layouts import open_source
from histocli.data.phantom import PHANTOM_SCANNERS, write_phantom
from histocli.data.shards import Shard
from histocli.data.stores import STORES
from histocli.data.tiles import content_hash
from histocli.errors import InputError, SettingsError, SkippedInputsError
from histocli.preparation.normalize import normalize_tiles
from histocli.preparation.output import JOURNAL_NAME, NormalizeResult
from histocli.preparation.setup import make_normalizer, make_record
from histocli.run_record import RunRecord
from histocli.stain import MacenkoNormalizer
from histocli.stain.normalizers import NORMALIZERS, find_normalizer


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
    to = str(changes.get("to", "folder"))
    record = make_record(source, digest, len(tiles.tiles), normalizer, 0, "cpu", to=to)
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


@pytest.mark.parametrize("to", STORES)
@pytest.mark.parametrize("journal_share", [0.0, 0.3, 0.999])
def test_a_killed_run_continues_to_the_same_bytes(
    data: Path, tmp_path: Path, journal_share: float, to: str
) -> None:
    whole = normalize(data, tmp_path / "whole", to=to)

    class Killed(BaseException):
        pass

    done = 0

    def kill(number: int) -> None:
        nonlocal done
        done += number
        if done >= 48:
            raise Killed

    with pytest.raises(Killed):
        normalize(data, tmp_path / "killed", progress=kill, to=to)
    journal = tmp_path / "killed" / JOURNAL_NAME
    content = journal.read_bytes()
    journal.write_bytes(content[: int(len(content) * journal_share)])
    # A tile whose bytes rotted on disk is written anew.
    spoil(tmp_path / "killed")
    result = normalize(data, tmp_path / "killed", batch_size=5, workers=1, to=to)
    assert result.by_status == whole.by_status
    assert tree(tmp_path / "killed") == tree(tmp_path / "whole")


def spoil(folder: Path) -> None:
    """Change the bytes of one tile that has been written."""
    images = sorted(folder.rglob("*.png"))
    if images:
        images[0].write_bytes(images[0].read_bytes()[:-20])
        return
    (part,) = folder.glob(".tiles-*.part")
    content = bytearray(part.read_bytes())
    content[5000] ^= 255
    part.write_bytes(content)


NAMES_IN_STORES = {"npz": "tiles.npz", "zip": "tiles.zip", "h5": "tiles_{split}_x.h5"}


@pytest.mark.parametrize("to", NAMES_IN_STORES)
def test_packed_tiles_are_those_of_the_folder_and_can_be_read_again(
    data: Path, tmp_path: Path, to: str
) -> None:
    normalize(data, tmp_path / "folder")
    normalize(data, tmp_path / "packed", to=to)
    folder, packed = (open_source(tmp_path / name) for name in ("folder", "packed"))
    with (tmp_path / "packed" / "manifest.csv").open() as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        container, mark, _ = row["tile"].partition("#")
        assert (container, mark) == (NAMES_IN_STORES[to].format(split=row["split"]), "#")
    by_source = {row["source"]: row["tile"] for row in rows}
    index_of = {tile.id: index for index, tile in enumerate(packed.tiles)}
    assert len(packed.tiles) == len(folder.tiles) == len(rows)
    with (tmp_path / "folder" / "manifest.csv").open() as file:
        for row in csv.DictReader(file):
            index = index_of[by_source[row["source"]]]
            written = np.asarray(Image.open(tmp_path / "folder" / row["tile"]))
            np.testing.assert_array_equal(packed.read(index), written)
            tile = packed.tiles[index]
            assert (tile.label, tile.group or "", tile.split) == (
                row["label"],
                row["group"],
                row["split"],
            )


def test_tiles_of_several_sizes_do_not_fit_one_array(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name, side in (("a.png", 8), ("b.png", 9)):
        Image.new("RGB", (side, side)).save(tmp_path / "in" / name)
    with pytest.raises(SettingsError, match="--to folder"):
        normalize(tmp_path / "in", tmp_path / "out", to="npz")
    assert normalize(tmp_path / "in", tmp_path / "zip", to="zip").tiles == 2


def test_tiles_of_one_split_are_packed_where_they_lie_into_the_bytes_of_a_copy(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = normalize(data / "valid", tmp_path / "whole", to="npz")
    for number in (1, 2):
        normalize(data / "valid", tmp_path / "copied", to="npz", shard=Shard(number, 2))
    assert tree(tmp_path / "copied") == tree(tmp_path / "whole")

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("histocli.data.stores.npz.add_text", killed)
        with pytest.raises(KeyboardInterrupt):
            normalize(data / "valid", tmp_path / "killed", to="npz")
    assert not (tmp_path / "killed" / "tiles.npz").exists()
    assert normalize(data / "valid", tmp_path / "killed", to="npz").already_done == whole.tiles
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


def histo_normalize(*arguments: object) -> dict[str, Any]:
    """Run the command in this process; its facts."""
    result = CliRunner().invoke(app, ["normalize", *map(str, arguments), "--json", "--quiet"])
    assert result.exit_code == 0, result.output
    facts: dict[str, Any] = json.loads(result.stdout)
    return facts


def with_a_pale_tile(data: Path, folder: Path) -> Path:
    """The phantom with groups, and one tile of hardly any tissue in a known group."""
    shutil.copytree(data / "valid", folder)
    pale = np.full((96, 96, 3), 245, np.uint8)
    pale[:1, :30] = (110, 60, 140)
    name = next((folder / "tumor").glob("*.png"))
    Image.fromarray(pale).save(name)
    return name


def test_the_context_serves_tiles_that_have_no_stain_of_their_own(
    data: Path, tmp_path: Path
) -> None:
    pale = with_a_pale_tile(data, tmp_path / "in")
    alone = histo_normalize(tmp_path / "in", "--output", tmp_path / "alone")
    assert alone["by_estimate"]["identity"] == 1
    served = histo_normalize(
        tmp_path / "in", "--output", tmp_path / "served", "--context", "tile,group,dataset"
    )
    assert "identity" not in served["by_estimate"]
    assert sum(served["by_estimate"].values()) == served["tiles"]
    relative = pale.relative_to(tmp_path / "in")
    before, kept, changed = (
        np.asarray(Image.open(folder / relative))
        for folder in (tmp_path / "in", tmp_path / "alone", tmp_path / "served")
    )
    np.testing.assert_array_equal(kept, before)
    assert (changed != before).any()
    context = json.loads((tmp_path / "served" / "stain_context.json").read_text())
    assert context["estimated"] == served["tiles"] - 1
    assert RunRecord.read(tmp_path / "served").settings["context"] == "tile,group,dataset"


def test_a_reference_fitted_on_a_folder_is_reused(data: Path, tmp_path: Path) -> None:
    histo_normalize(data / "valid", "--output", tmp_path / "fitted", "--fit")
    reference = tmp_path / "fitted" / "reference.json"
    histo_normalize(data / "valid", "--output", tmp_path / "reused", "--reference", reference)
    first, second = (
        {name: content for name, content in tree(tmp_path / folder).items() if ".png" in name}
        for folder in ("fitted", "reused")
    )
    assert first == second
    # The typical stain of a data set is near that of the scanner which made most of it.
    fitted = np.array(json.loads(reference.read_text())["stain_matrix"])
    near = [
        np.abs(np.array(scanner.stain_matrix) - fitted).max()
        for scanner in PHANTOM_SCANNERS.values()
    ]
    assert min(near) < 0.15
    refused = CliRunner().invoke(
        app, ["normalize", str(data), "--fit", "--reference", str(reference)]
    )
    assert refused.exit_code == 2


def test_the_table_may_name_a_reference_for_each_tile(data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    names = sorted((data / "train" / "tumor").glob("*.png"))[:3]
    for name in names:
        shutil.copy(name, folder / name.name)
    other = MacenkoNormalizer().fit(
        np.asarray(Image.open(names[2]).convert("RGB")).transpose(2, 0, 1)
    )
    other.reference.save(folder / "scanner.json")
    rows = [f"{names[0].name},a,", f"{names[1].name},a,scanner.json", f"{names[2].name},b,"]
    (folder / "labels.csv").write_text("tile,label,stain_reference\n" + "\n".join(rows) + "\n")
    histo_normalize(folder, "--output", tmp_path / "out")
    for index, normalizer in ((0, MacenkoNormalizer()), (1, other)):
        raw = np.asarray(Image.open(folder / names[index].name).convert("RGB"))
        expected = normalizer.normalize(raw.transpose(2, 0, 1)[None]).tiles[0]
        written = np.asarray(Image.open(tmp_path / "out" / names[index].name))
        np.testing.assert_array_equal(written, expected.transpose(1, 2, 0))
    (folder / "scanner.json").write_text("{}")
    refused = CliRunner().invoke(app, ["normalize", str(folder), "--output", str(tmp_path / "x")])
    assert refused.exit_code == 3
    assert "scanner.json" in refused.output


@pytest.mark.parametrize("method", NORMALIZERS)
def test_every_method_writes_what_its_normalizer_gives(
    data: Path, tmp_path: Path, method: str
) -> None:
    facts = histo_normalize(data / "valid", "--output", tmp_path / "out", "--method", method)
    assert facts["tiles"] > 0
    name = next((data / "valid" / "normal").glob("*.png"))
    raw = np.asarray(Image.open(name).convert("RGB")).transpose(2, 0, 1)
    expected = find_normalizer(method)().normalize(raw[None]).tiles[0].transpose(1, 2, 0)
    written = np.asarray(Image.open(tmp_path / "out" / "normal" / name.name))
    np.testing.assert_array_equal(written, expected)


def test_images_of_one_stain_are_written_beside(data: Path, tmp_path: Path) -> None:
    shutil.copytree(data / "valid", tmp_path / "valid")
    facts = histo_normalize(tmp_path / "valid", "--image", "hematoxylin")
    assert facts["output"].endswith("valid-hematoxylin")
    pixels = np.asarray(Image.open(next(Path(facts["output"]).rglob("*.png")))).astype(float)
    # Hematoxylin alone is blue: red is absorbed most of all but green.
    assert pixels[..., 2].mean() > pixels[..., 0].mean() > 0
