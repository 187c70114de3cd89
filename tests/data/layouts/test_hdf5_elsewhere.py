"""HDF5 files whose data lies in other files, or nowhere: refused by name."""

import time
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from histocli.data.layouts import open_source
from histocli.errors import InputError
from tests.data.layouts.examples import draw

SHAPE = (4, 8, 8, 3)


def stored_outside(path: Path, other: Path) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("x", SHAPE, "u1", external=[(str(other), 0, int(np.prod(SHAPE)))])


def virtual(path: Path, other: Path) -> None:
    layout = h5py.VirtualLayout(SHAPE, "u1")
    layout[:] = h5py.VirtualSource(str(other), "x", SHAPE)
    with h5py.File(path, "w") as file:
        file.create_virtual_dataset("x", layout)


def linked(path: Path, other: Path) -> None:
    with h5py.File(path, "w") as file:
        file["x"] = h5py.ExternalLink(str(other), "x")


def linked_by_another_link(path: Path, other: Path) -> None:
    with h5py.File(path, "w") as file:
        file["there"] = h5py.ExternalLink(str(other), "/")
        file["x"] = h5py.SoftLink("/there/x")


WRITERS: dict[str, tuple[Callable[[Path, Path], None], str]] = {
    "stored outside": (stored_outside, "x is stored in other files"),
    "virtual": (virtual, "x is stored in other files"),
    "link": (linked, "x is a link"),
    "link to a link": (linked_by_another_link, "x is a link"),
}


@pytest.mark.parametrize("name", WRITERS)
def test_pixels_of_other_files_are_not_read(tmp_path: Path, name: str) -> None:
    write, message = WRITERS[name]
    with h5py.File(tmp_path / "secret", "w") as file:
        file["x"] = draw(4, side=8)
    write(tmp_path / "tiles.h5", tmp_path / "secret")
    with pytest.raises(InputError, match=rf"tiles\.h5: {message}"):
        open_source(tmp_path / "tiles.h5")


def test_labels_of_other_files_are_not_read(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "secret", "w") as file:
        file["y"] = np.zeros(4, np.uint8)
    with h5py.File(tmp_path / "tiles.h5", "w") as file:
        file["x"] = draw(4, side=8)
        file["y"] = h5py.ExternalLink(str(tmp_path / "secret"), "y")
    with pytest.raises(InputError, match=r"tiles\.h5: y is a link"):
        open_source(tmp_path / "tiles.h5")


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((10**10, 8, 8, 3), r"it says that it has 10,000,000,000 tiles, in 0 bytes"),
        ((5_000_000, 1, 1, 3), r"it says that it has 5,000,000 tiles, in 0 bytes"),
        ((10_000, 96, 96, 3), "it unpacks to more than 500 times"),
        ((2**40, 2**12, 2**12), "it says that it has"),
    ],
)
def test_more_than_is_stored_is_refused_at_once(
    tmp_path: Path, shape: tuple[int, ...], message: str
) -> None:
    path = tmp_path / "empty.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("x", shape, "u1", chunks=(1, *shape[1:]))
    assert path.stat().st_size < 10_000
    started = time.monotonic()
    with pytest.raises(InputError, match=rf"empty\.h5: x: {message}"):
        open_source(path)
    assert time.monotonic() - started < 5


def test_a_few_tiles_that_were_never_written_are_their_fill_value(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "few.h5", "w") as file:
        file.create_dataset("x", (100, 8, 8, 3), "u1", chunks=(1, 8, 8, 3), fillvalue=7)
    source = open_source(tmp_path / "few.h5")
    assert (source.read(99) == 7).all()
