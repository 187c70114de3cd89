"""The index of checksums, and how it names what changed."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import h5py
import pytest

from histocli.data.index import (
    FILE,
    TILE,
    Changes,
    Entry,
    checked_kaggle_ids,
    compare,
    index_entries,
    read_index,
    write_index,
)
from histocli.data.layouts import LAYOUTS, open_source
from histocli.errors import InputError
from tests.data.layouts.examples import (
    EXAMPLES,
    class_folders,
    draw,
    encode,
    kaggle,
    kaggle_id,
    patchcamelyon,
)


def write(path: Path, index: Path) -> None:
    write_index(index, index_entries(open_source(path)))


def changes_of(path: Path, index: Path) -> Changes:
    return compare(read_index(index), index_entries(open_source(path)))


@pytest.mark.parametrize("layout", sorted(LAYOUTS))
def test_the_index_holds_every_file_and_tile(layout: str, tmp_path: Path) -> None:
    example = EXAMPLES[layout](tmp_path / "data" if layout == "class-folders" else made(tmp_path))
    index = tmp_path / "index.csv"
    write(example.path, index)
    entries = read_index(index)
    tiles = {name: entry for (kind, name), entry in entries.items() if kind == TILE}
    assert set(tiles) == set(example.tiles)
    for name, entry in tiles.items():
        assert entry.pixels_sha1 == kaggle_id(example.tiles[name].pixels)
    folder = example.path if example.path.is_dir() else example.path.parent
    for kind, name in entries:
        if kind == FILE:
            content = (folder / name).read_bytes()
            assert entries[kind, name].sha256 == hashlib.sha256(content).hexdigest()
    assert not changes_of(example.path, index)


def made(folder: Path) -> Path:
    (folder / "data").mkdir()
    return folder / "data"


def test_what_changed_is_named(tmp_path: Path) -> None:
    data = tmp_path / "data"
    class_folders(data)
    index = tmp_path / "index.csv"
    write(data, index)
    (data / "train/normal/a.bmp").write_bytes(encode(draw(4)[0], "TIFF"))
    (data / "train/tumor/b.tif").write_bytes(encode(draw(1, 9)[0], "TIFF"))
    (data / "valid/normal/c.webp").unlink()
    (data / "train/tumor/new.png").write_bytes(encode(draw(1)[0]))
    found = changes_of(data, index)
    assert found.recoded == ["train/normal/a.bmp"]
    assert found.changed == ["train/tumor/b.tif"]
    assert found.missing == ["valid/normal/c.webp"]
    assert found.added == ["train/tumor/new.png"]
    assert found.same == 1
    (data / "test/tumor/d.png").write_bytes(b"")
    assert changes_of(data, index).changed == ["test/tumor/d.png", "train/tumor/b.tif"]


def test_one_row_of_an_hdf5_file_is_named(tmp_path: Path) -> None:
    data = made(tmp_path)
    example = patchcamelyon(data)
    write(data, tmp_path / "index.csv")
    with h5py.File(example.main, "r+") as file:
        file["x"][5, 0, 0, 0] ^= 1
    found = changes_of(data, tmp_path / "index.csv")
    assert found.changed == [example.main.name, f"{example.main.name}#5"]


def test_kaggles_ids_are_checked_against_the_pixels(tmp_path: Path) -> None:
    data = made(tmp_path)
    kaggle(data)
    (data / "test.zip").unlink()
    altered = kaggle_id(draw(5)[3])
    (data / "test").mkdir()
    (data / "test" / f"{altered}.tif").write_bytes(encode(draw(5)[4], "TIFF"))
    source = open_source(data)
    misnamed: list[str] = []
    entries = checked_kaggle_ids(source, index_entries(source), misnamed)
    assert write_index(tmp_path / "index.csv", entries) == (4, 0)
    assert misnamed == [f"test/{altered}.tif"]


def test_without_pixels_nothing_is_decoded(tmp_path: Path) -> None:
    example = class_folders(tmp_path)
    entries = list(index_entries(open_source(example.path), pixels=False))
    assert {entry.pixels_sha1 for entry in entries} == {""}


def test_an_index_is_whole_or_absent(tmp_path: Path) -> None:
    def stopped() -> Iterator[Entry]:
        yield from index_entries(open_source(class_folders(tmp_path / "data").path))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_index(tmp_path / "index.csv", stopped())
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


@pytest.mark.parametrize(
    "content", [b"", b"tile,label\n", b"\xff\xfe", b"kind,name,bytes,sha256\n"]
)
def test_a_damaged_index_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "index.csv").write_bytes(content)
    with pytest.raises(InputError, match=r"index\.csv: "):
        read_index(tmp_path / "index.csv")
    with pytest.raises(InputError, match="no such index"):
        read_index(tmp_path / "absent.csv")
