"""Tiles in a data set of an HDF5 file, read by whole chunks."""

import math
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from histocli.atomic_files import parse_json
from histocli.data.layouts.bombs import check_ratio, check_rows
from histocli.data.layouts.rows import BlockCache, check_pixel_array, to_rgb
from histocli.errors import InputError

# A block is a layer of chunks, or an even part of one that is larger than this.
MAXIMUM_BLOCK_BYTES = 16_000_000
# Public sets have chunks of kilobytes.
MAXIMUM_CHUNK_BYTES = 1_000_000_000
# HDF5 keeps the layers that blocks are parts of, so that each is unpacked once.
MAXIMUM_CHUNK_CACHE_BYTES = 256_000_000
# A prime far above the number of chunks that are kept: with fewer slots they displace each other.
CHUNK_SLOTS = 100_003
# Blocks at hand are mixed by a shuffle: the more the better, up to a few thousand tiles.
KEPT_BYTES = 160_000_000
KEPT_ROWS = 4096
FEWEST_KEPT = 4
# The attribute of labels that holds their names, as a JSON list.
CLASSES = "classes"


@dataclass(frozen=True, slots=True)
class _ReadingPlan:
    """How the rows of a data set are read.

    Attributes:
        rows: Of a block, which is read at once.
        blocks_kept: Blocks in memory.
        layer_rows: Rows that share their chunks.
        layers_at_hand: Layers that the blocks in memory cover; 0 where a row has its own chunks.
        chunk_cache_bytes: What HDF5 itself keeps unpacked.
    """

    rows: int
    blocks_kept: int
    layer_rows: int
    layers_at_hand: int
    chunk_cache_bytes: int


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
            _check_chunks(data, f"{path}: {key}")
            _check_amount(data, path, key)
            self._length = int(data.shape[0])
            self._plan = _reading_plan(data)
        self._lock = threading.Lock()
        self._file: Any = None
        self._process = 0
        self._blocks: BlockCache[NDArray[np.uint8]] = BlockCache(self._plan.blocks_kept)

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

    @property
    def blocks_at_hand(self) -> int:
        """Layers of chunks that are kept while their rows are read in any order; 0 for single rows."""
        return self._plan.layers_at_hand

    def blocks_of(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Number of the layer of chunks of each row."""
        return rows // self._plan.layer_rows

    def raw(self, row: int) -> NDArray[np.uint8]:
        """One row with the channels that it has."""
        if not 0 <= row < self._length:
            raise ValueError(f"{self.path}: there is no row {row}")
        number, place = divmod(row, self._plan.rows)
        pixels: NDArray[np.uint8] = self._blocks.get(number, self._load)[place]
        return pixels

    def _load(self, number: int) -> NDArray[np.uint8]:
        start = number * self._plan.rows
        block: NDArray[np.uint8] = self._open()[self.key][start : start + self._plan.rows]
        return block

    def _open(self) -> Any:
        with self._lock:
            if self._process != os.getpid():
                # A handle inherited by a fork would share its position with the parent.
                self._file = open_hdf5(self.path, self._plan.chunk_cache_bytes)
                self._process = os.getpid()
            return self._file


def open_hdf5(path: Path, chunk_cache_bytes: int = 1_000_000) -> Any:
    """Open an HDF5 file to read.

    Raises:
        InputError: If it is damaged, or no HDF5 file.
    """
    import h5py  # a quarter of a second: only for those who bring HDF5

    try:
        return h5py.File(path, "r", rdcc_nbytes=chunk_cache_bytes, rdcc_nslots=CHUNK_SLOTS)
    except OSError as error:
        reason = "the file is empty" if path.stat().st_size == 0 else str(error)
        raise InputError(
            f"{path}: not a whole HDF5 file ({reason}); it may be cut short, get it again"
        ) from error


def dataset(file: Any, path: Path, key: str) -> Any:
    """One data set of an open file.

    Raises:
        InputError: If it is not there, naming those that are, lies in another file, or the file's index
            is damaged.
    """
    import h5py

    try:
        there = sorted(file)
        # Looked at before it is followed: it may lead to any file of this machine.
        if key in there and not isinstance(file.get(key, getlink=True), h5py.HardLink):
            raise InputError(f"{path}: {key} is a link; put the data set itself under that name")
        found = file.get(key)
        elsewhere = isinstance(found, h5py.Dataset) and (found.external or found.is_virtual)
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        raise InputError(f"{path}: its index is damaged ({error}); get it again") from error
    if not isinstance(found, h5py.Dataset):
        listed = ", ".join(there) or "none"
        raise InputError(f"{path}: it has no data set {key!r}; there is: {listed}")
    if elsewhere:
        raise InputError(
            f"{path}: {key} is stored in other files, which are not read; save it as one file (h5repack)"
        )
    return found


def has_dataset(path: Path, key: str) -> bool:
    """Whether a file has something of that name; links are not followed.

    Raises:
        InputError: If it is damaged.
    """
    with open_hdf5(path) as file:
        try:
            return key in sorted(file)
        except (OSError, RuntimeError, ValueError, KeyError) as error:
            raise InputError(f"{path}: its index is damaged ({error}); get it again") from error


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
        _check_amount(data, path, key)
        try:
            values = np.asarray(data[()]).reshape(-1)
        except OSError as error:
            raise InputError(f"{path}: {key} is damaged: {error}") from error
    if values.dtype.kind not in "iub":
        raise InputError(f"{path}: {key} holds {values.dtype}; labels are whole numbers")
    return values.astype(np.int64)


def read_classes(path: Path, key: str) -> dict[str, str]:
    """Names of the labels, by number, where `histo normalize --to h5` wrote them; else none.

    Raises:
        InputError: If they are damaged.
    """
    with open_hdf5(path) as file:
        written = dataset(file, path, key).attrs.get(CLASSES)
    if written is None:
        return {}
    try:
        return {str(number): str(name) for number, name in enumerate(parse_json(written))}
    except (TypeError, ValueError) as error:
        raise InputError(f"{path}: the attribute {CLASSES} of {key} is damaged: {error}") from error


def _check_chunks(data: Any, where: str) -> None:
    """Refuse chunks that fill the memory: HDF5 unpacks a whole one for a single row.

    Raises:
        InputError: If one does.
    """
    size = math.prod(data.chunks) if data.chunks else 0
    if size > MAXIMUM_CHUNK_BYTES:
        raise InputError(
            f"{where} is stored in chunks of {size / 1e9:.1f} GB, each of which has to be unpacked for a "
            "single tile; save it in smaller ones (h5repack -l x:CHUNK=64x96x96x3)"
        )


def _check_amount(data: Any, path: Path, key: str) -> None:
    """Refuse a data set that says it has far more than is stored of it.

    Raises:
        InputError: If it does.
    """
    # Neither is to be believed alone: parts may share their bytes, and storage may lie beyond the end.
    stored = min(data.id.get_storage_size(), path.stat().st_size)
    rows = int(data.shape[0]) if data.shape else 1
    check_rows(f"{path}: {key}", rows, stored)
    # Not NumPy's product, which begins anew beyond 64 bits.
    check_ratio(f"{path}: {key}", math.prod(data.shape) * data.dtype.itemsize, stored)


def _reading_plan(data: Any) -> _ReadingPlan:
    row_bytes = max(1, int(np.prod(data.shape[1:])))
    layer_rows = data.chunks[0] if data.chunks else 1
    rows = _part_of(layer_rows, max(1, MAXIMUM_BLOCK_BYTES // row_bytes))
    parts = -(-layer_rows // rows)
    kept = min(KEPT_BYTES // (rows * row_bytes), -(-KEPT_ROWS // rows) + 1)
    # One block is on its way out while the next one comes in.
    layers = max(1, (kept - 1) // parts)
    cache = min(layers * layer_rows * row_bytes if parts > 1 else 0, MAXIMUM_CHUNK_CACHE_BYTES)
    alone = layer_rows == 1
    return _ReadingPlan(
        rows,
        FEWEST_KEPT if alone else max(FEWEST_KEPT, layers * parts + 1),
        layer_rows,
        0 if alone else layers,
        cache + 1_000_000,
    )


def _part_of(rows: int, most: int) -> int:
    """The largest number up to ``most`` that divides ``rows``; ``most`` if that would be far smaller."""
    if rows <= most:
        return rows
    divisor = next(number for number in range(most, 0, -1) if rows % number == 0)
    return divisor if 4 * divisor >= most else most
