"""Decoded tiles in a few large arrays, one for each size, and batches drawn from them."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from histocli.data.loading import SkippedTile
from histocli.data.tiles import TileBatch, TileSource, in_chunks

Array = TypeVar("Array")
# Height and width.
Size = tuple[int, int]


@dataclass(frozen=True)
class TilePlaces:
    """Where each tile of a split lies.

    Attributes:
        counts: Tiles of each size, in the order of the arrays.
        array: Number of the array of each tile, by its position in the split; -1 for none.
        row: Row in that array.
        reasons: Why a tile is in none, by its position.
    """

    counts: Mapping[Size, int]
    array: NDArray[np.int64]
    row: NDArray[np.int64]
    reasons: Mapping[int, str]


@dataclass(frozen=True)
class TileArrays(Generic[Array]):
    """Tiles of one split, decoded.

    Attributes:
        source: Where they were read.
        indices: The tiles of the split; positions count from its first.
        places: Where each tile lies.
        arrays: uint8 RGB, shape ``(N, 3, H, W)``, one for each size.
        take: Gives some rows of an array.
    """

    source: TileSource
    indices: Sequence[int]
    places: TilePlaces
    arrays: Sequence[Array]
    take: Callable[[Array, NDArray[np.int64]], Array]

    def batches(
        self, indices: Sequence[int], batch_size: int, skipped: list[SkippedTile]
    ) -> Iterator[tuple[Array, NDArray[np.int64]]]:
        """Pixels and indices of the batches that ``load_batches`` would give.

        Args:
            indices: Which tiles of the split, in which order.
            batch_size: Tiles a batch.
            skipped: Receives the tiles that could not be read.
        """
        position = np.full(len(self.source.tiles), -1, np.int64)
        position[np.asarray(self.indices, np.int64)] = np.arange(len(self.indices))
        for chunk in in_chunks(indices, batch_size):
            wanted = np.asarray(chunk, np.int64)
            places = position[wanted]
            numbers = self.places.array[places]
            for index, place in zip(wanted[numbers < 0], places[numbers < 0], strict=True):
                reason = self.places.reasons[int(place)]
                skipped.append(SkippedTile(self.source.tiles[index].id, reason))
            # In the order in which the sizes occur, as where tiles are decoded one by one.
            for number in dict.fromkeys(numbers[numbers >= 0].tolist()):
                same = numbers == number
                rows = self.places.row[places[same]]
                yield self.take(self.arrays[number], rows), wanted[same]


def place_tiles(
    source: TileSource,
    indices: Sequence[int],
    batches: Iterable[TileBatch],
    skipped: Sequence[SkippedTile],
    write: Callable[[Size, NDArray[np.uint8]], None],
) -> TilePlaces:
    """Append every tile to the array of its size.

    Args:
        source: Where the tiles are.
        indices: The tiles of the split.
        batches: Their pixels, each tile once.
        skipped: What the batches leave out; filled while they are drawn.
        write: Appends some tiles to the array of a size.
    """
    position = {index: place for place, index in enumerate(indices)}
    counts: dict[Size, int] = {}
    array = np.full(len(indices), -1, np.int64)
    row = np.zeros(len(indices), np.int64)
    for batch in batches:
        height, width = batch.pixels.shape[2:]
        first = counts.setdefault((height, width), 0)
        places = [position[int(index)] for index in batch.indices]
        array[places] = list(counts).index((height, width))
        row[places] = np.arange(first, first + len(places))
        counts[height, width] += len(places)
        write((height, width), batch.pixels)
    by_id = {source.tiles[index].id: place for index, place in position.items()}
    reasons = {by_id[tile.id]: tile.reason for tile in skipped}
    return TilePlaces(counts, array, row, reasons)
