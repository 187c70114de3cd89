"""Tiles of a class and of the rest in the order of their scores: one sort for any weights."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np

from histocli.metrics.definitions.arrays import BoolArray, FloatArray, IntArray
from histocli.metrics.definitions.descent import Above, Descent
from histocli.metrics.definitions.weights import ClusterWeights, Weights, weights_of_tiles

# Weights looked at together, so that the arrays between stay in the processor's cache.
BLOCK_CELLS = 2**17


@dataclass(frozen=True)
class Ranking:
    """Scores of one class, sorted once.

    Attributes:
        tiles: Place of each scored tile among the tiles that weights speak of, lowest score first.
        is_positive: True where that tile is of the class.
        starts: First position of each distinct score.
    """

    tiles: IntArray
    is_positive: BoolArray
    starts: IntArray

    @classmethod
    def of(cls, is_positive: BoolArray, scores: FloatArray, tiles: IntArray | None = None) -> Self:
        """Sort scores.

        Args:
            is_positive: True for the tiles of the class, shape ``(N,)``.
            scores: Score of the class, shape ``(N,)``.
            tiles: Place of each, if not all are scored or some more than once, shape ``(N,)``.
        """
        order = np.argsort(scores, kind="stable").astype(np.int64)
        ranked = scores[order]
        starts = np.flatnonzero(np.append(True, ranked[1:] != ranked[:-1])[: len(ranked)])
        places = order if tiles is None else tiles[order]
        return cls(places, is_positive[order], starts.astype(np.int64))

    @cached_property
    def sizes(self) -> IntArray:
        """Number of tiles at each distinct score, shape ``(D,)``."""
        return np.diff(np.append(self.starts, len(self.tiles)))

    @cached_property
    def descent(self) -> Descent:
        """The same from the highest score down."""
        return Descent.of(self.is_positive[::-1], self.sizes[::-1])

    def counts(self, weights: Weights) -> tuple[FloatArray, FloatArray]:
        """Weighted positives and negatives at each distinct score, each ``(..., D)``."""
        counted = weights_of_tiles(weights, self.tiles)
        positives = counted * self.is_positive
        if len(self.starts) < len(self.tiles):
            counted = np.add.reduceat(counted, self.starts, axis=-1)
            positives = np.add.reduceat(positives, self.starts, axis=-1)
        return positives, counted - positives

    def each_row(self, weights: Weights, statistic: Callable[[Above], FloatArray]) -> FloatArray:
        """A statistic of what stands above each tile of the class, some rows of weights at a time."""
        down = self.tiles[::-1]
        blocks = [
            statistic(self.descent.above(weights_of_tiles(block, down)))
            for block in self._blocks(weights)
        ]
        return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)

    def _blocks(self, weights: Weights) -> Iterator[Weights]:
        table = weights.multiplicities if isinstance(weights, ClusterWeights) else weights
        rows = max(1, BLOCK_CELLS // max(1, len(self.tiles)))
        if table is None or table.ndim != 2 or len(table) <= rows:
            yield weights
            return
        for start in range(0, len(table), rows):
            part = table[start : start + rows]
            if isinstance(weights, ClusterWeights):
                yield ClusterWeights(part, weights.clusters)
            else:
                yield part


def counts_by_score(
    is_positive: BoolArray, scores: FloatArray, weights: Weights = None
) -> tuple[FloatArray, FloatArray]:
    """Weighted positives and negatives at each distinct score, lowest score first.

    Args:
        is_positive: True for the tiles of the class, shape ``(N,)``.
        scores: Score of the class, shape ``(N,)``.
        weights: How often each tile counts; once when None.

    Returns:
        Positives and negatives, each ``(..., D)`` for D distinct scores.
    """
    return Ranking.of(is_positive, scores).counts(weights)
