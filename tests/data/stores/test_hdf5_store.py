"""Tiles packed as PatchCamelyon's HDF5 files."""

import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from histocli.data.layouts import open_source
from histocli.data.stores.hdf5 import Array, Hdf5Store, write_hdf5
from histocli.data.tiles import TileSource
from histocli.errors import HistoError, InputError, UnreadableTileError


def draw(folder: Path, classes: tuple[str, ...] = ("normal", "tumor")) -> TileSource:
    """Twelve tiles in two splits and two classes, three of each."""
    generator = np.random.default_rng(0)
    for split in ("train", "valid"):
        for name in classes:
            (folder / split / name).mkdir(parents=True)
            for number in range(3):
                pixels = generator.integers(0, 256, (8, 8, 3), np.uint8)
                Image.fromarray(pixels).save(folder / split / name / f"{number}.png")
    return open_source(folder)


def pack(source: TileSource, output: Path) -> NDArray[np.uint8]:
    """Write all tiles of a source; their pixels."""
    output.mkdir()
    everything = range(len(source.tiles))
    store = Hdf5Store(source, output, everything)
    pixels = np.stack([source.read(index) for index in everything])
    hashes = store.write(everything, pixels)
    assert not store.is_finished(everything)
    store.finish(everything, hashes.__getitem__)
    assert store.is_finished(everything)
    return pixels


def test_a_pair_of_files_a_split_has_the_published_shapes_and_checksums(tmp_path: Path) -> None:
    source = draw(tmp_path / "in")
    pixels = pack(source, tmp_path / "out")
    for split, first in (("train", 0), ("valid", 6)):
        with (
            h5py.File(tmp_path / "out" / f"tiles_{split}_x.h5") as images,
            h5py.File(tmp_path / "out" / f"tiles_{split}_y.h5") as labels,
        ):
            np.testing.assert_array_equal(images["x"], pixels[first : first + 6])
            assert images["x"].fletcher32
            assert labels["y"].shape == (6, 1, 1, 1)
            assert labels["y"].dtype == np.uint8
            assert labels["y"][:, 0, 0, 0].tolist() == [0, 0, 0, 1, 1, 1]
    table = (tmp_path / "out" / "tiles_valid_meta.csv").read_text().splitlines()
    assert table[:2] == [",tile,label,wsi", "0,valid/normal/0.png,normal,"]


def test_names_of_classes_come_back(tmp_path: Path) -> None:
    source = draw(tmp_path / "in")
    pixels = pack(source, tmp_path / "out")
    packed = open_source(tmp_path / "out")
    assert packed.layout == "patchcamelyon"
    assert [(t.label, t.split) for t in packed.tiles] == [(t.label, t.split) for t in source.tiles]
    for index in range(len(pixels)):
        np.testing.assert_array_equal(packed.read(index), pixels[index])


def test_classes_that_are_numbers_are_patchcamelyons_own(tmp_path: Path) -> None:
    pack(draw(tmp_path / "in", ("0", "1")), tmp_path / "out")
    with h5py.File(tmp_path / "out" / "tiles_train_y.h5") as file:
        assert not file["y"].attrs
    assert {tile.label for tile in open_source(tmp_path / "out").tiles} == {"0", "1"}


def test_what_patchcamelyon_says_of_slides_and_tumor_is_kept(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    rows = ["tile,label,group,split,tumor_patch,center_tumor_patch"]
    for number in range(4):
        Image.new("RGB", (8, 8), (number, 0, 0)).save(tmp_path / "in" / f"{number}.png")
        rows.append(f"{number}.png,{number % 2},slide_{number},test,True,{number % 2 == 1}")
    (tmp_path / "in" / "manifest.csv").write_text("\n".join(rows) + "\n")
    source = open_source(tmp_path / "in")
    pack(source, tmp_path / "out")
    for tile, before in zip(open_source(tmp_path / "out").tiles, source.tiles, strict=True):
        assert (tile.label, tile.group, tile.split) == (before.label, before.group, "test")
        assert tile.extra == {
            "tumor_patch": "True",
            "center_tumor_patch": before.extra["center_tumor_patch"],
        }


def test_tiles_without_labels_have_no_file_of_them(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "in" / "a.png")
    pack(open_source(tmp_path / "in"), tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "tiles_meta.csv",
        "tiles_x.h5",
    ]
    assert [tile.label for tile in open_source(tmp_path / "out").tiles] == [None]


@pytest.mark.parametrize("name", ["tiles_train_x.h5", "tiles_valid_y.h5", "tiles_train_meta.csv"])
def test_without_one_of_its_files_it_is_not_finished(tmp_path: Path, name: str) -> None:
    source = draw(tmp_path / "in")
    pack(source, tmp_path / "out")
    (tmp_path / "out" / name).unlink()
    everything = range(len(source.tiles))
    assert not Hdf5Store(source, tmp_path / "out", everything).is_finished(everything)


def test_a_changed_byte_is_noticed(tmp_path: Path) -> None:
    pixels = pack(draw(tmp_path / "in"), tmp_path / "out")
    path = tmp_path / "out" / "tiles_train_x.h5"
    content = bytearray(path.read_bytes())
    content[content.find(pixels[0].tobytes())] ^= 1
    path.write_bytes(content)
    with pytest.raises(UnreadableTileError, match="tiles_train_x"):
        open_source(tmp_path / "out").read(0)


def test_damaged_names_of_classes_are_said(tmp_path: Path) -> None:
    pack(draw(tmp_path / "in"), tmp_path / "out")
    with h5py.File(tmp_path / "out" / "tiles_train_y.h5", "a") as file:
        file["y"].attrs["classes"] = "[normal"
    with pytest.raises(
        InputError, match=r"tiles_train_y\.h5: the attribute classes of y is damaged"
    ):
        open_source(tmp_path / "out")


def test_the_same_tiles_are_the_same_bytes(tmp_path: Path) -> None:
    source = draw(tmp_path / "in")
    pack(source, tmp_path / "one")
    pack(source, tmp_path / "two")
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()


@pytest.mark.parametrize(
    ("key", "count", "reason"), [("x", 3, "ended early"), ("", 2, "HDF5 could not write")]
)
def test_what_the_writer_could_not_do_it_says_and_nothing_is_left(
    tmp_path: Path, key: str, count: int, reason: str
) -> None:
    array = Array(tmp_path / "x.h5", key, (count, 2), [np.zeros((2, 2), np.uint8)])
    with pytest.raises(HistoError, match=reason) as raised:
        write_hdf5([array])
    assert str(tmp_path) in str(raised.value)
    assert not list(tmp_path.iterdir())


def test_rows_are_kept_until_the_last_file_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = draw(tmp_path / "in")
    pack(source, tmp_path / "whole")
    (tmp_path / "out").mkdir()
    everything = range(len(source.tiles))
    store = Hdf5Store(source, tmp_path / "out", everything)
    hashes = store.write(everything, np.stack([source.read(i) for i in everything]))

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(store, "discard", killed)
        with pytest.raises(KeyboardInterrupt):
            store.finish(everything, hashes.__getitem__)
    again = Hdf5Store(source, tmp_path / "out", everything)
    assert not again.is_finished(everything)
    assert all(again.holds(index, hashes[index]) for index in everything)
    again.finish(everything, hashes.__getitem__)
    for path in (tmp_path / "whole").iterdir():
        assert path.read_bytes() == (tmp_path / "out" / path.name).read_bytes()
    shutil.rmtree(tmp_path / "out")
