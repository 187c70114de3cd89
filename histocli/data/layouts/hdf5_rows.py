"""Tiles in a data set of an HDF5 file, read by whole chunks."""

import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from histocli.data.layouts.rows import BlockCache, check_pixel_array, to_rgb
from histocli.errors import InputError

# A block is one layer of chunks, where that is not larger than this.
MAXIMUM_BLOCK_BYTES = 16_000_000
# HDF5 keeps a layer of chunks that is: the blocks cut from it unpack it once.
MAXIMUM_CHUNK_CACHE_BYTES = 256_000_000
BLOCKS_KEPT = 4


class Hdf5Rows:
    """The rows of one data set.

    Raises:
        InputError: If the file is damaged, or the data set absent or no tiles.
    """

    def __init__(self, path: Path, key: str) -> None:
        self.path, self.key = path, key
        with open_hdf5(path) as file:
            data = dataset(file, path, key)
            check_pixel_array(data.shape, data.dtype, f"{path}: {key}")
            self._length = int(data.shape[0])
            self._rows, self._chunk_cache = _block_layout(data)
        self._lock = threading.Lock()
        self._file: Any = None
        self._process = 0
        self._blocks: BlockCache[NDArray[np.uint8]] = BlockCache(BLOCKS_KEPT)

    def __reduce__(self) -> tuple[Any, ...]:
        return Hdf5Rows, (self.path, self.key)

    def __len__(self) -> int:
        return self._length

    def read(self, row: int) -> NDArray[np.uint8]:
        """Pixels of one row."""
        return to_rgb(self.raw(row))

    def read_bytes(self, row: int) -> bytes:
        """Raw pixels, height by width by channels."""
        return self.raw(row).tobytes()

    def raw(self, row: int) -> NDArray[np.uint8]:
        """One row with the channels that it has."""
        if not 0 <= row < self._length:
            raise ValueError(f"{self.path}: there is no row {row}")
        pixels: NDArray[np.uint8] = self._blocks.get(row // self._rows, self._load)[
            row % self._rows
        ]
        return pixels

    def _load(self, number: int) -> NDArray[np.uint8]:
        start = number * self._rows
        block: NDArray[np.uint8] = self._open()[self.key][start : start + self._rows]
        return block

    def _open(self) -> Any:
        with self._lock:
            if self._process != os.getpid():
                # A handle inherited by a fork would share its position with the parent.
                self._file = open_hdf5(self.path, self._chunk_cache)
                self._process = os.getpid()
            return self._file


def open_hdf5(path: Path, chunk_cache_bytes: int = 1_000_000) -> Any:
    """Open an HDF5 file to read.

    Raises:
        InputError: If it is damaged, or no HDF5 file.
    """
    import h5py  # a quarter of a second: only for those who bring HDF5

    try:
        return h5py.File(path, "r", rdcc_nbytes=chunk_cache_bytes)
    except OSError as error:
        reason = "the file is empty" if path.stat().st_size == 0 else str(error)
        raise InputError(
            f"{path}: not a whole HDF5 file ({reason}); it may be cut short, get it again"
        ) from error


def dataset(file: Any, path: Path, key: str) -> Any:
    """One data set of an open file.

    Raises:
        InputError: If it is not there, naming those that are.
    """
    import h5py

    if not isinstance(file.get(key), h5py.Dataset):
        there = ", ".join(sorted(file)) or "none"
        raise InputError(f"{path}: it has no data set {key!r}; there is: {there}")
    return file[key]


def read_labels(path: Path, key: str, expected: int) -> NDArray[np.int64]:
    """Labels, whatever singleton axes they have.

    Raises:
        InputError: If there are not as many as tiles, or they are not whole numbers.
    """
    with open_hdf5(path) as file:
        data = dataset(file, path, key)
        if data.size != expected or data.shape[:1] != (expected,):
            raise InputError(
                f"{path}: {key} has shape {data.shape}, but there are {expected} tiles; "
                "images and labels do not belong together"
            )
        try:
            values = np.asarray(data[()]).reshape(-1)
        except OSError as error:
            raise InputError(f"{path}: {key} is damaged: {error}") from error
    if values.dtype.kind not in "iub":
        raise InputError(f"{path}: {key} holds {values.dtype}; labels are whole numbers")
    return values.astype(np.int64)


def _block_layout(data: Any) -> tuple[int, int]:
    """Rows that are read at once, and what HDF5 should keep meanwhile."""
    row_bytes = max(1, int(np.prod(data.shape[1:])))
    chunk_rows = data.chunks[0] if data.chunks else 1
    layer = chunk_rows * row_bytes
    rows = max(1, min(chunk_rows, MAXIMUM_BLOCK_BYTES // row_bytes))
    return rows, min(layer, MAXIMUM_CHUNK_CACHE_BYTES) + 1_000_000
