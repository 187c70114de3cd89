"""MedMNIST's NPZ files: stored, compressed, too large for memory, and wrong."""

import logging
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from histocli.data.layouts import npy_rows, open_source
from histocli.data.tiles import Inspectable
from histocli.errors import InputError, UnreadableTileError
from tests.data.layouts.examples import draw, medmnist


def test_stored_arrays_are_mapped_and_give_the_same(tmp_path: Path) -> None:
    example = medmnist(tmp_path)
    with np.load(example.path) as arrays:
        content = dict(arrays)
    stored = tmp_path / "stored" / "pathmnist.npz"
    stored.parent.mkdir()
    np.savez(stored, **content)
    for index, tile in enumerate(open_source(stored).tiles):
        pixels = open_source(stored).read(index)
        np.testing.assert_array_equal(pixels, example.tiles[tile.id].pixels)
        assert pixels.flags.writeable


def test_a_large_compressed_array_is_unpacked_once_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    example = medmnist(tmp_path)
    monkeypatch.setattr(npy_rows, "MAXIMUM_BYTES_IN_MEMORY", 1000)
    source = open_source(example.path)
    with caplog.at_level(logging.WARNING):
        for index, tile in enumerate(source.tiles):
            np.testing.assert_array_equal(source.read(index), example.tiles[tile.id].pixels)
    assert len(caplog.records) == 3
    assert "pathmnist-unpacked" in caplog.text
    caplog.clear()
    open_source(example.path).read(0)
    assert not caplog.records
    # Another file of the same name is unpacked anew.
    later = example.path.stat().st_mtime + 10
    os.utime(example.path, (later, later))
    open_source(example.path).read(0)
    assert len(caplog.records) == 1


def test_other_sets_have_their_classes_by_number(tmp_path: Path) -> None:
    grey = draw(2)[:, :, :, 0]
    np.savez(tmp_path / "breastmnist.npz", train_images=grey, train_labels=np.array([[1], [0]]))
    source = open_source(tmp_path)
    assert [tile.label for tile in source.tiles] == ["1", "0"]
    np.testing.assert_array_equal(source.read(0), np.repeat(grey[0][:, :, None], 3, 2))
    assert source.read_bytes(0) == grey[0].tobytes()


def test_images_and_labels_without_a_split(tmp_path: Path) -> None:
    np.savez(tmp_path / "mine.npz", images=draw(2), labels=np.array(["tumor", "normal"]))
    tiles = open_source(tmp_path / "mine.npz").tiles
    assert [(t.id, t.label, t.split) for t in tiles] == [
        ("mine.npz#0", "tumor", None),
        ("mine.npz#1", "normal", None),
    ]


def test_missing_labels_are_a_problem(tmp_path: Path) -> None:
    np.savez(tmp_path / "mine.npz", test_images=draw(2))
    source = open_source(tmp_path / "mine.npz")
    assert isinstance(source, Inspectable)
    assert source.problems == ["mine.npz: no test_labels, so no labels there"]


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "wrong keys": ({"x": draw(1), "y": [0]}, "there is: x, y"),
    "lengths differ": (
        {"train_images": draw(3), "train_labels": [[0], [1]]},
        "train_labels has shape (2, 1), but train_images has 3 tiles",
    ),
    "several labels a tile": (
        {"train_images": draw(2), "train_labels": np.zeros((2, 14), np.uint8)},
        "one label a tile",
    ),
    "labels that are no classes": (
        {"train_images": draw(2), "train_labels": [0.5, 1.5]},
        "train_labels holds float64",
    ),
    "floating point": ({"train_images": draw(2) / 255}, "train_images holds float64"),
    "volumes": ({"train_images": np.zeros((2, 28, 28, 28), np.uint8)}, "has shape"),
    "objects": ({"train_images": np.array([{}, []], object)}, "holds Python objects"),
    "objects as labels": (
        {"train_images": draw(2), "train_labels": np.array([{}, []], object)},
        "holds Python objects",
    ),
    "Fortran order": ({"train_images": np.asfortranarray(draw(2))}, "Fortran order"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_arrays_are_named(tmp_path: Path, name: str) -> None:
    arrays, message = WRONG[name]
    np.savez(tmp_path / "wrong.npz", **arrays)
    with pytest.raises(InputError, match=r"wrong\.npz: ") as caught:
        open_source(tmp_path / "wrong.npz")
    assert message in str(caught.value)


def test_a_class_beyond_the_names_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "pathmnist.npz", train_images=draw(1), train_labels=[9])
    with pytest.raises(InputError, match="beyond the 9"):
        open_source(tmp_path / "pathmnist.npz")


def test_two_sets_in_one_folder_have_to_be_named(tmp_path: Path) -> None:
    medmnist(tmp_path)
    np.savez(tmp_path / "pathmnist_64.npz", train_images=draw(1))
    with pytest.raises(InputError, match=r"several data sets \(pathmnist\.npz, pathmnist_64"):
        open_source(tmp_path)


@pytest.mark.parametrize("spoiled", [b"'sh_VVV", b"'sh\0pe'", b"'shape'("])
def test_a_header_that_is_no_python_literal_is_refused(tmp_path: Path, spoiled: bytes) -> None:
    path = medmnist(tmp_path).path
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content.replace(b"'shape'", spoiled, 1))
    with pytest.raises(InputError, match=r"pathmnist\.npz: the array train_images is damaged"):
        open_source(path)


def test_a_damaged_array_spoils_its_tiles_by_name(tmp_path: Path) -> None:
    example = medmnist(tmp_path)
    content = bytearray(example.path.read_bytes())
    content[3000:3400] = bytes(400)
    example.path.write_bytes(content)
    source = open_source(example.path)
    with pytest.raises((UnreadableTileError, InputError), match=r"pathmnist\.npz"):
        source.read(0)
    last = len(source.tiles) - 1
    truth = example.tiles[source.tiles[last].id]
    np.testing.assert_array_equal(source.read(last), truth.pixels)
