"""The tile, the table of tiles, the batch, and the protocol of whatever holds them."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from histocli.data.isolation import ISOLATION
from histocli.errors import ExhaustedError, UnreadableTileError

Split = Literal["train", "valid", "test"]
SPLITS: tuple[Split, ...] = ("train", "valid", "test")
SPLIT_ALIASES: Mapping[str, Split] = {
    "train": "train",
    "valid": "valid",
    "val": "valid",
    "validation": "valid",
    "test": "test",
}
# Threads help where a disk is slow, and hinder one another where it is not.
HASHING_THREADS, HASHED_AT_ONCE = 4, 64


@dataclass(frozen=True, slots=True)
class Tile:
    """One row of the table of tiles.

    Attributes:
        id: POSIX path relative to the source, extension kept; ``archive.zip#member`` or ``file.h5#row``
            where a file holds many.
        label: Class name.
        group: Patient, slide or whatever must not be torn apart by a split.
        split: train, valid or test.
        extra: The table's other columns.
    """

    id: str
    label: str | None = None
    group: str | None = None
    split: Split | None = None
    extra: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TileBatch:
    """Tiles of one size.

    Attributes:
        pixels: uint8 RGB, shape ``(N, 3, H, W)``.
        indices: Position of each in ``TileSource.tiles``.
    """

    pixels: NDArray[np.uint8]
    indices: NDArray[np.int64]


class TileSource(Protocol):
    """Anything that holds tiles: folders, a manifest, an archive, an HDF5 file, a slide."""

    @property
    def root(self) -> Path:
        """The file or folder that the user named."""

    @property
    def layout(self) -> str:
        """Name of the layout, a key of ``LAYOUTS``."""

    @property
    def tiles(self) -> Sequence[Tile]:
        """The table, sorted by id; rows of one file in their order there."""

    def read(self, index: int) -> NDArray[np.uint8]:
        """Decode one tile to uint8 RGB, shape ``(H, W, 3)``.

        Raises:
            UnreadableTileError: Naming the file and the reason.
        """

    def read_bytes(self, index: int) -> bytes:
        """Content of one tile as stored: what its hash is taken of.

        Raises:
            UnreadableTileError: If there is nothing to read.
        """


@runtime_checkable
class Inspectable(Protocol):
    """A source that can say what it is made of, beside its tiles."""

    @property
    def files(self) -> Sequence[Path]:
        """Files that hold many tiles, and tables: all that was read and is no tile itself."""

    @property
    def problems(self) -> Sequence[str]:
        """What is wrong, but does not keep the tiles from being read."""


@runtime_checkable
class Detailed(Protocol):
    """A source that knows more of the files that hold its tiles."""

    @property
    def details(self) -> Mapping[str, Mapping[str, object]]:
        """Facts by the name of a file, the same ones for each."""


@runtime_checkable
class Configured(Protocol):
    """A source whose tiles follow from settings as well as from its files."""

    @property
    def configuration(self) -> Mapping[str, object]:
        """Those settings."""


@dataclass(frozen=True, slots=True)
class Blocks:
    """Where tiles lie in blocks that are read whole.

    Attributes:
        numbers: Number of the block of each tile, shape ``(N,)``.
        at_hand: Blocks that a reader keeps at a time.
    """

    numbers: NDArray[np.int64]
    at_hand: int


@runtime_checkable
class Blocked(Protocol):
    """A source whose tiles may lie in blocks: the chunks of HDF5, the row groups of parquet."""

    def blocks(self, indices: Sequence[int]) -> Blocks | None:
        """Where some tiles lie; None if each is read alone."""


def class_names(tiles: Sequence[Tile]) -> list[str]:
    """Sorted names of the classes that occur."""
    return sorted({tile.label for tile in tiles if tile.label is not None})


def name_in_split(tile: Tile) -> str:
    """A tile's name without a leading split folder: the same in ``data`` and in ``data/train``."""
    first, _, rest = tile.id.partition("/")
    return rest if rest and first.lower() in SPLIT_ALIASES else tile.id


def content_hash(source: TileSource, indices: Sequence[int]) -> str:
    """SHA-256 over the names and stored bytes of some tiles.

    A leading split folder is left out of the names, so that ``data`` restricted to its training split
    and ``data/train`` have the same hash.
    """

    def line(index: int) -> str:
        name = name_in_split(source.tiles[index])
        try:
            digest = hashlib.sha256(ISOLATION.read_bytes(source, index)).hexdigest()
        except (OSError, UnreadableTileError) as error:
            ExhaustedError.check(error)
            digest = f"unreadable: {type(error).__name__}"
        return f"{digest}  {name}\n"

    with ThreadPoolExecutor(HASHING_THREADS) as pool:
        # A task for each tile would take longer than the tile.
        tasks = pool.map(
            lambda some: [line(index) for index in some], in_chunks(indices, HASHED_AT_ONCE)
        )
        lines = sorted(found for some in tasks for found in some)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def indices_of_split(tiles: Sequence[Tile], split: Split) -> list[int]:
    """Positions of the tiles of one split."""
    return [index for index, tile in enumerate(tiles) if tile.split == split]


def in_chunks(indices: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    """Cut a sequence into chunks of ``size``, the last one shorter."""
    for start in range(0, len(indices), size):
        yield indices[start : start + size]
