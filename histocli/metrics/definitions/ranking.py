"""Tiles of a class and of the rest at each distinct score: one sort for any number of weights."""

import numpy as np

from histocli.metrics.definitions.arrays import BoolArray, FloatArray, tile_weights


def counts_by_score(
    is_positive: BoolArray, scores: FloatArray, weights: FloatArray | None = None
) -> tuple[FloatArray, FloatArray]:
    """Weighted positives and negatives at each distinct score, lowest score first.

    Args:
        is_positive: True for the tiles of the class, shape ``(N,)``.
        scores: Score of the class, shape ``(N,)``.
        weights: How often each tile counts, shape ``(..., N)``; once when None.

    Returns:
        Positives and negatives, each ``(..., D)`` for D distinct scores.
    """
    order = np.argsort(scores, kind="stable")
    ranked = scores[order]
    starts = np.flatnonzero(np.append(True, ranked[1:] != ranked[:-1])[: len(ranked)])
    counted = np.take(tile_weights(weights, len(scores)), order, axis=-1)
    positives = counted * is_positive[order]
    if len(starts) < len(ranked):
        counted = np.add.reduceat(counted, starts, axis=-1)
        positives = np.add.reduceat(positives, starts, axis=-1)
    return positives, counted - positives
