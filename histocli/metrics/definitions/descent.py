"""What stands above each tile of a class, from the highest score down."""

from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np

from histocli.metrics.definitions.arrays import BoolArray, FloatArray, IntArray


class Above(NamedTuple):
    """Weighted counts at each tile of the class; P such tiles.

    Attributes:
        own: Weight of the tile itself, shape ``(..., P)``.
        found: Tiles of the class with at least its score, shape ``(..., P)``.
        called: All tiles with at least its score, shape ``(..., P)``.
        others: Other tiles above it, those with its score a half, shape ``(..., P)``.
        total: All tiles, shape ``(...)``.
    """

    own: FloatArray
    found: FloatArray
    called: FloatArray
    others: FloatArray
    total: FloatArray


@dataclass(frozen=True)
class Descent:
    """Where running sums are read off, for each tile of the class, highest score first.

    Attributes:
        positives: Position of the tile, shape ``(P,)``.
        last: Position of the last tile with its score.
        last_positive: Which tile of the class is the last with its score.
        has_ties: Whether two tiles score the same; without, the last is the tile itself.
        tied_others: Position before the first tile with its score, and which tile of the class is
            the last above; -1 for none.
    """

    positives: IntArray
    last: IntArray
    last_positive: IntArray
    has_ties: bool
    tied_others: tuple[IntArray, IntArray]

    @classmethod
    def of(cls, is_positive: BoolArray, sizes: IntArray) -> Self:
        """From the order of the tiles and the sizes of the groups that score the same."""
        positives = np.flatnonzero(is_positive)
        ends = np.repeat(np.cumsum(sizes), sizes) - 1
        starts = ends - np.repeat(sizes, sizes)
        found = np.cumsum(is_positive) - 1
        before = np.append(found, -1)[starts[positives]]
        return cls(
            positives,
            ends[positives],
            found[ends[positives]],
            len(sizes) < len(is_positive),
            (starts[positives], before),
        )

    def above(self, weights: FloatArray) -> Above:
        """Count.

        Args:
            weights: Of the tiles, highest score first, shape ``(..., N)``.
        """
        own = np.take(weights, self.positives, axis=-1)
        all_called, all_found = np.cumsum(weights, axis=-1), np.cumsum(own, axis=-1)
        total = weights.sum(axis=-1)
        called = np.take(all_called, self.last, axis=-1)
        if not self.has_ties:
            return Above(own, all_found, called, called - all_found, total)
        found = np.take(all_found, self.last_positive, axis=-1)
        others = called - found + _read(all_called, self.tied_others[0])
        others -= _read(all_found, self.tied_others[1])
        return Above(own, found, called, others / 2, total)


def _read(sums: FloatArray, positions: IntArray) -> FloatArray:
    """Running sums at some positions; nothing before the first."""
    if sums.shape[-1] == 0:
        return np.zeros((*sums.shape[:-1], len(positions)))
    return np.where(positions < 0, 0.0, np.take(sums, np.maximum(positions, 0), axis=-1))
