"""One bad tile among good ones, in each layout of image files: skipped by name, the rest is read."""

import io
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from histocli.data.describe import describe_source
from histocli.data.layouts import open_source
from histocli.data.loading import SkippedTile, load_batches
from tests.data.layouts.examples import draw, encode, write_csv, write_file

GOOD = encode(draw(1)[0])


def huge_image() -> bytes:
    buffer = io.BytesIO()
    Image.new("1", (10_000, 7_000)).save(buffer, "PNG")
    return buffer.getvalue()


BAD = {
    "zero bytes": (b"", "the file is empty"),
    "truncated": (GOOD[: len(GOOD) // 2], "truncated"),
    "no image": (b"no image at all", "not an image"),
    "bomb": (huge_image(), "cut it into tiles"),
}


def in_folders(folder: Path, bad: bytes) -> Path:
    for name, content in {"tumor/a.png": GOOD, "normal/bad.png": bad}.items():
        write_file(folder / name, content)
    return folder


def in_a_manifest(folder: Path, bad: bytes) -> Path:
    for name, content in {"x/a.png": GOOD, "x/bad.png": bad}.items():
        write_file(folder / name, content)
    rows = [["x/a.png", "tumor"], ["x/bad.png", "normal"]]
    write_csv(folder / "manifest.csv", ["tile", "label"], rows)
    return folder


def in_one_folder(folder: Path, bad: bytes) -> Path:
    for name, content in {"a.png": GOOD, "bad.png": bad}.items():
        write_file(folder / name, content)
    return folder


def in_a_zip(folder: Path, bad: bytes) -> Path:
    with zipfile.ZipFile(folder / "a.zip", "w") as archive:
        archive.writestr("tumor/a.png", GOOD)
        archive.writestr("normal/bad.png", bad)
    return folder / "a.zip"


def in_kaggles(folder: Path, bad: bytes) -> Path:
    with zipfile.ZipFile(folder / "train.zip", "w") as archive:
        archive.writestr("a.png", GOOD)
        archive.writestr("bad.png", bad)
    write_csv(folder / "train_labels.csv", ["id", "label"], [["a", 0], ["bad", 1]])
    return folder


def in_parquet(folder: Path, bad: bytes) -> Path:
    table = pa.table({"image": pa.array([GOOD, bad], pa.binary()), "label": ["bad", "a"]})
    pq.write_table(table, folder / "bad.parquet")
    return folder / "bad.parquet"


HOLDERS: Mapping[str, Callable[[Path, bytes], Path]] = {
    "class-folders": in_folders,
    "manifest": in_a_manifest,
    "images": in_one_folder,
    "zip": in_a_zip,
    "kaggle": in_kaggles,
    "huggingface": in_parquet,
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("layout", HOLDERS)
def test_it_is_skipped_by_name_and_the_rest_is_read(tmp_path: Path, layout: str, name: str) -> None:
    content, reason = BAD[name]
    source = open_source(HOLDERS[layout](tmp_path, content))
    assert source.layout == layout
    skipped: list[SkippedTile] = []
    batches = list(load_batches(source, range(2), 2, skipped))
    assert [len(batch.indices) for batch in batches] == [1]
    (tile,) = skipped
    assert "bad" in tile.id
    assert reason in tile.reason
    problems = describe_source(source).problems
    assert any(tile.id in problem and "cannot be decoded" in problem for problem in problems)


@pytest.mark.parametrize("layout", ["zip", "huggingface", "manifest", "images"])
def test_without_labels_tiles_are_good_for_all_but_training(tmp_path: Path, layout: str) -> None:
    if layout == "zip":
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
            archive.writestr("a.png", GOOD)
    elif layout == "huggingface":
        pq.write_table(pa.table({"image": pa.array([GOOD], pa.binary())}), tmp_path / "a.parquet")
    else:
        write_file(tmp_path / "a.png", GOOD)
    if layout == "manifest":
        write_csv(tmp_path / "manifest.csv", ["tile"], [["a.png"]])
    path = {"zip": tmp_path / "a.zip", "huggingface": tmp_path / "a.parquet"}.get(layout, tmp_path)
    source = open_source(path)
    assert (source.layout, source.tiles[0].label) == (layout, None)
    assert "no tile has a label" in " ".join(describe_source(source).problems)
