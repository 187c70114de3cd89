"""Tiles in a data set of an HDF5 file, read by whole chunks."""

import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from histocli.data.layouts.hdf5_file import check_storage, dataset, open_hdf5
from histocli.data.layouts.rows import BlockCache, check_pixel_array, to_rgb

# A block is a layer of chunks, or an even part of one that is larger than this.
MAXIMUM_BLOCK_BYTES = 16_000_000
# HDF5 keeps the layers that blocks are parts of, so that each is unpacked once.
MAXIMUM_CHUNK_CACHE_BYTES = 256_000_000
# Blocks at hand are mixed by a shuffle: the more the better, up to a few thousand tiles.
KEPT_BYTES = 160_000_000
KEPT_ROWS = 4096
FEWEST_KEPT = 4


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
            check_storage(data, path, key)
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
