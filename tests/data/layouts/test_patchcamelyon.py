"""PatchCamelyon's HDF5 files, packed and not, with and without what lies beside them."""

import logging
import os
from pathlib import Path
from typing import NoReturn

import h5py
import numpy as np
import pytest

from histocli.data.layouts import open_source, unpacking
from histocli.data.layouts.hdf5_rows import Hdf5Rows
from histocli.data.layouts.patchcamelyon import PatchCamelyonSource
from histocli.data.tiles import Inspectable
from histocli.errors import InputError, UnreadableTileError
from tests.data.layouts.examples import PCAM, draw, gzip_file, patchcamelyon, write_pcam_split


def test_one_file_finds_its_labels_and_its_table(tmp_path: Path) -> None:
    example = patchcamelyon(tmp_path)
    source = open_source(tmp_path / f"{PCAM}test_x.h5")
    assert [tile.id for tile in source.tiles] == [f"{PCAM}test_x.h5#{i}" for i in range(3)]
    assert [tile.label for tile in source.tiles] == ["0", "1", "0"]
    assert source.tiles[2].extra == {"tumor_patch": "True", "center_tumor_patch": "False"}
    assert isinstance(source, Inspectable)
    assert [file.name for file in source.files] == [
        f"{PCAM}test_{kind}" for kind in ("x.h5", "y.h5", "meta.csv")
    ]
    assert {tile.id for tile in source.tiles} < set(example.tiles)


def test_rows_are_in_their_order_not_in_that_of_text(tmp_path: Path) -> None:
    patchcamelyon(tmp_path)
    ids = [tile.id for tile in open_source(tmp_path).tiles if "train" in tile.id]
    assert ids == [f"{PCAM}train_x.h5#{i}" for i in range(11)]


def test_torchvisions_subfolder_is_found(tmp_path: Path) -> None:
    (tmp_path / "pcam").mkdir()
    patchcamelyon(tmp_path / "pcam")
    source = open_source(tmp_path)
    assert source.tiles[0].id == f"pcam/{PCAM}test_x.h5#0"
    assert source.read(0).shape == (12, 12, 3)


def test_gzip_is_unpacked_once_beside_it_and_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpacking, "SAID_FROM_BYTES", 1000)
    example = patchcamelyon(tmp_path)
    before = open_source(tmp_path)
    for file in list(tmp_path.glob("*.h5")):
        gzip_file(file)
    with caplog.at_level(logging.WARNING):
        source = open_source(tmp_path)
    assert [tile.id for tile in source.tiles] == [tile.id for tile in before.tiles]
    for index, tile in enumerate(source.tiles):
        np.testing.assert_array_equal(source.read(index), example.tiles[tile.id].pixels)
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 2
    assert any("train_x.h5.gz" in line and "once" in line for line in said)
    assert (tmp_path / f"{PCAM}train_y.h5").is_file()
    caplog.clear()
    open_source(tmp_path)
    open_source(tmp_path / f"{PCAM}train_x.h5.gz")
    assert not caplog.records


@pytest.mark.parametrize("share", [0.0, 0.4, 0.99])
def test_a_truncated_gzip_is_named_and_leaves_nothing(tmp_path: Path, share: float) -> None:
    patchcamelyon(tmp_path)
    packed = gzip_file(tmp_path / f"{PCAM}train_x.h5")
    content = packed.read_bytes()
    packed.write_bytes(content[: int(share * len(content))])
    with pytest.raises(InputError, match=r"train_x\.h5"):
        open_source(packed)
    assert not (tmp_path / f"{PCAM}train_x.h5").exists()
    assert not list(tmp_path.glob(".*tmp*"))


def test_a_folder_that_cannot_be_written_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    patchcamelyon(tmp_path)
    packed = gzip_file(tmp_path / f"{PCAM}train_x.h5")

    def forbidden(_path: Path) -> NoReturn:
        raise PermissionError(13, "Permission denied")

    # Root, as which tests may run, can write anywhere.
    monkeypatch.setattr(unpacking, "atomic_path", forbidden)
    with pytest.raises(InputError, match=r"cannot be written, and .*train_x\.h5\.gz has to be"):
        open_source(packed)


def test_masks_are_read_where_they_are(tmp_path: Path) -> None:
    patchcamelyon(tmp_path)
    masks = np.random.default_rng(3).integers(0, 2, (11, 12, 12, 1)).astype(np.uint8)
    with h5py.File(tmp_path / f"{PCAM}train_mask.h5", "w") as file:
        file["mask"] = masks
    source = open_source(tmp_path)
    assert isinstance(source, PatchCamelyonSource)
    assert source.read_mask(0) is None
    found = source.read_mask(3 + 5)
    assert found is not None
    np.testing.assert_array_equal(found, masks[5, :, :, 0] == 1)


def test_masks_inside_the_file_of_the_tiles_are_read(tmp_path: Path) -> None:
    masks = np.random.default_rng(3).integers(0, 2, (3, 12, 12, 1)).astype(np.uint8)
    for name in ("with.h5", "without.h5"):
        with h5py.File(tmp_path / name, "w") as file:
            file["x"] = draw(3)
            file["y"] = [0, 1, 1]
            if name == "with.h5":
                file["mask"] = masks
    source, other = open_source(tmp_path / "with.h5"), open_source(tmp_path / "without.h5")
    assert isinstance(source, PatchCamelyonSource)
    assert isinstance(other, PatchCamelyonSource)
    found = source.read_mask(2)
    assert found is not None
    np.testing.assert_array_equal(found, masks[2, :, :, 0] == 1)
    assert other.read_mask(2) is None


def test_masks_of_another_length_are_refused(tmp_path: Path) -> None:
    patchcamelyon(tmp_path)
    with h5py.File(tmp_path / f"{PCAM}train_mask.h5", "w") as file:
        file["mask"] = np.zeros((4, 12, 12, 1), np.uint8)
    source = open_source(tmp_path)
    assert isinstance(source, PatchCamelyonSource)
    with pytest.raises(InputError, match="4 masks for 11 tiles"):
        source.read_mask(5)


def test_any_file_with_images_and_labels_inside_is_read(tmp_path: Path) -> None:
    pixels = draw(3)
    with h5py.File(tmp_path / "mine.hdf5", "w") as file:
        file["x"] = pixels
        file["y"] = [0, 2, 1]
    source = open_source(tmp_path / "mine.hdf5")
    assert [(tile.id, tile.label) for tile in source.tiles] == [
        ("mine.hdf5#0", "0"),
        ("mine.hdf5#1", "2"),
        ("mine.hdf5#2", "1"),
    ]
    np.testing.assert_array_equal(source.read(1), pixels[1])


def test_missing_labels_leave_tiles_without_and_are_a_problem(tmp_path: Path) -> None:
    patchcamelyon(tmp_path)
    (tmp_path / f"{PCAM}test_y.h5").unlink()
    source = open_source(tmp_path)
    assert [tile.label for tile in source.tiles[:4]] == [None, None, None, "0"]
    assert isinstance(source, Inspectable)
    assert "no labels" in source.problems[0]


def test_labels_that_contradict_the_table_are_a_problem(tmp_path: Path) -> None:
    write_pcam_split(tmp_path, "train", draw(4), [0, 1, 0, 1], ["a"] * 4)
    with h5py.File(tmp_path / f"{PCAM}train_y.h5", "w") as file:
        file["y"] = np.array([0, 1, 1, 1], np.uint8).reshape(4, 1, 1, 1)
    source = open_source(tmp_path)
    assert isinstance(source, Inspectable)
    assert source.problems == [f"{PCAM}train_x.h5: 1 labels are not the table's center_tumor_patch"]


def write_x(path: Path, key: str, values: object) -> None:
    with h5py.File(path, "w") as file:
        file[key] = values


WRONG = {
    "wrong key": ("images", draw(2), "no data set 'x'; there is: images"),
    "floating point": ("x", draw(2).astype(np.float32), "holds float32"),
    "four channels": ("x", np.zeros((2, 8, 8, 4), np.uint8), "has shape"),
    "a vector": ("x", np.zeros(8, np.uint8), "has shape"),
    "bomb": ("x", None, "pixels, which are no tiles"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_tiles_is_refused_by_name(tmp_path: Path, name: str) -> None:
    key, values, message = WRONG[name]
    path = tmp_path / "wrong_x.h5"
    if values is None:
        with h5py.File(path, "w") as file:
            file.create_dataset(key, (1, 100_000, 100_000, 3), "u1", chunks=(1, 64, 64, 3))
    else:
        write_x(path, key, values)
    with pytest.raises(InputError, match=r"wrong_x\.h5") as caught:
        open_source(path)
    assert message in str(caught.value)


def test_lengths_that_differ_are_refused_by_name(tmp_path: Path) -> None:
    patchcamelyon(tmp_path)
    with h5py.File(tmp_path / f"{PCAM}train_y.h5", "w") as file:
        file["y"] = np.zeros((10, 1, 1, 1), np.uint8)
    with pytest.raises(InputError, match=r"train_y\.h5: y has shape .* 11 tiles"):
        open_source(tmp_path)
    with h5py.File(tmp_path / f"{PCAM}train_y.h5", "w") as file:
        file["y"] = np.zeros((11, 1, 1, 1), np.float32)
    with pytest.raises(InputError, match=r"train_y\.h5: y holds float32"):
        open_source(tmp_path)


def test_a_table_of_another_length_is_refused_by_name(tmp_path: Path) -> None:
    patchcamelyon(tmp_path)
    table = tmp_path / f"{PCAM}train_meta.csv"
    table.write_text("".join(table.read_text().splitlines(keepends=True)[:-1]))
    with pytest.raises(InputError, match=r"train_meta\.csv: it has 10 rows"):
        open_source(tmp_path)


def test_a_damaged_chunk_spoils_its_tiles_only(tmp_path: Path) -> None:
    pixels = draw(8)
    path = tmp_path / "damaged.h5"
    with h5py.File(path, "w") as file:
        data = file.create_dataset(
            "x", data=pixels, chunks=(4, 12, 12, 3), compression="gzip", fletcher32=True
        )
        chunk = data.id.get_chunk_info(1)
    content = bytearray(path.read_bytes())
    content[chunk.byte_offset + 20 : chunk.byte_offset + 60] = bytes(40)
    path.write_bytes(content)
    source = open_source(path)
    np.testing.assert_array_equal(source.read(3), pixels[3])
    with pytest.raises(UnreadableTileError, match=r"damaged\.h5#4: damaged"):
        source.read(4)


@pytest.mark.parametrize("chunks", [None, (1, 12, 12, 3), (3, 12, 12, 3), (7, 5, 6, 1)])
def test_any_chunks_give_the_same_rows(tmp_path: Path, chunks: tuple[int, ...] | None) -> None:
    pixels = draw(10)
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.create_dataset("x", data=pixels, chunks=chunks)
    rows = Hdf5Rows(tmp_path / "x.h5", "x")
    for row in (9, 0, 4, 3, 9):
        np.testing.assert_array_equal(rows.read(row), pixels[row])
        assert rows.read_bytes(row) == pixels[row].tobytes()


def test_another_process_opens_the_file_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = draw(10)
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["x"] = pixels
    rows = Hdf5Rows(tmp_path / "x.h5", "x")
    rows.read(0)
    mine = rows._open()  # noqa: SLF001 - that it is another handle cannot be seen from outside
    monkeypatch.setattr(os, "getpid", lambda: -1)
    np.testing.assert_array_equal(rows.read(1), pixels[1])
    assert rows._open() is not mine  # noqa: SLF001 - as above
