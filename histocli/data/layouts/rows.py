"""The source shared by every layout that keeps many tiles in one file: HDF5, NPZ, parquet."""

import os
import threading
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from histocli.data.images import MAXIMUM_PIXELS
from histocli.data.tiles import Blocks, Tile
from histocli.errors import ExhaustedError, InputError, UnreadableTileError

Block = TypeVar("Block")


class Rows(Protocol):
    """A file, or an array in one, each row of which is a tile.

    It opens its file when a row is first read, once a process, and can be pickled.
    """

    def __len__(self) -> int:
        """Number of tiles."""

    def read(self, row: int) -> NDArray[np.uint8]:
        """Pixels of one tile, uint8 RGB, shape ``(H, W, 3)``."""

    def read_bytes(self, row: int) -> bytes:
        """One tile as stored: the file in the row, or raw pixels."""


@runtime_checkable
class RowsInBlocks(Protocol):
    """Rows that lie in blocks which are read whole."""

    @property
    def blocks_at_hand(self) -> int:
        """Blocks that are kept while their rows are read in any order; 0 if a row is read alone."""

    def blocks_of(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Number of the block of each row, from 0."""


@dataclass(frozen=True)
class RowSource:
    """Tiles that are rows of files.

    Attributes:
        tiles: The rows of the first file, then those of the second …
        parts: Those files.
        files: Everything that was read, label tables included.
        problems: What is wrong, but does not keep the tiles from being read.
    """

    root: Path
    layout: str
    tiles: Sequence[Tile]
    parts: Sequence[Rows]
    files: Sequence[Path] = ()
    problems: Sequence[str] = ()
    _ends: list[int] = field(init=False, repr=False, default_factory=list)

    def __post_init__(self) -> None:
        for part in self.parts:
            self._ends.append(len(part) + (self._ends[-1] if self._ends else 0))

    def read(self, index: int) -> NDArray[np.uint8]:
        """Decode one tile."""
        part, row = self._locate(index)
        try:
            return part.read(row)
        except UnreadableTileError as error:
            raise UnreadableTileError(self._name(index), error.reason) from error
        except (OSError, ValueError, KeyError) as error:
            ExhaustedError.check(error)
            raise UnreadableTileError(self._name(index), f"damaged: {error}") from error

    def read_bytes(self, index: int) -> bytes:
        """The row as stored."""
        part, row = self._locate(index)
        try:
            return part.read_bytes(row)
        except (OSError, ValueError, KeyError) as error:
            ExhaustedError.check(error)
            raise UnreadableTileError(self._name(index), f"damaged: {error}") from error

    def blocks(self, indices: Sequence[int]) -> Blocks | None:
        """Where some tiles lie; None if each is read alone."""
        at_hand = [p.blocks_at_hand if isinstance(p, RowsInBlocks) else 0 for p in self.parts]
        if min(at_hand, default=0) == 0:
            return None
        wanted = np.asarray(indices, np.int64)
        part_of = np.searchsorted(self._ends, wanted, side="right")
        numbers = np.zeros(len(wanted), np.int64)
        first = 0
        for number, part in enumerate(self.parts):
            if isinstance(part, RowsInBlocks) and len(part):
                start = self._ends[number] - len(part)
                mine = part_of == number
                numbers[mine] = first + part.blocks_of(wanted[mine] - start)
                first += 1 + int(part.blocks_of(np.array([len(part) - 1]))[0])
        return Blocks(numbers, min(at_hand))

    def _name(self, index: int) -> str:
        folder = self.root if self.root.is_dir() else self.root.parent
        return str(folder / self.tiles[index].id)

    def _locate(self, index: int) -> tuple[Rows, int]:
        number = bisect_right(self._ends, index)
        return self.parts[number], index - (self._ends[number - 1] if number else 0)


class BlockCache(Generic[Block]):
    """The blocks of a file that were read last, shared by the threads of a process.

    Args:
        capacity: Blocks to keep.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._lock = threading.Lock()
        self._blocks: OrderedDict[int, Block] = OrderedDict()
        self._process = os.getpid()

    def get(self, number: int, load: Callable[[int], Block]) -> Block:
        """A block, from the cache or from the file; ``load`` is called by one thread at a time."""
        with self._lock:
            if self._process != os.getpid():
                self._blocks.clear()
                self._process = os.getpid()
            if number not in self._blocks:
                while len(self._blocks) >= self._capacity:
                    self._blocks.popitem(last=False)
                self._blocks[number] = load(number)
            self._blocks.move_to_end(number)
            return self._blocks[number]


def check_pixel_array(shape: Sequence[int], dtype: object, where: str) -> None:
    """Refuse an array whose rows are no tiles.

    Raises:
        InputError: Unless it is uint8, ``(N, H, W)``, ``(N, H, W, 1)`` or ``(N, H, W, 3)``.
    """
    if str(dtype) != "uint8":
        raise InputError(f"{where} holds {dtype}; tiles are uint8, 0 to 255")
    if len(shape) not in (3, 4) or (len(shape) == 4 and shape[3] not in (1, 3)):
        raise InputError(f"{where} has shape {tuple(shape)}; tiles are (N, height, width, 3)")
    if shape[1] * shape[2] > MAXIMUM_PIXELS or 0 in shape[1:3]:
        raise InputError(f"{where} has images of {shape[2]}x{shape[1]} pixels, which are no tiles")


def to_rgb(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Grey, ``(H, W)`` or ``(H, W, 1)``, to RGB; RGB unchanged."""
    grey = pixels[:, :, None] if pixels.ndim == 2 else pixels
    return np.repeat(grey, 3, axis=2) if grey.shape[2] == 1 else grey
