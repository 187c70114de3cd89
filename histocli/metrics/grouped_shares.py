"""Intervals of many shares at once where tiles come in groups, as in the bins of a reliability diagram."""

import numpy as np

from histocli.metrics.definitions.arrays import BoolArray, FloatArray, IntArray, ratio
from histocli.metrics.intervals import tail_of, wilson
from histocli.metrics.resampling import clustered_draws


def grouped_share_bounds(
    codes: IntArray,
    outcomes: BoolArray,
    size: int,
    clusters: IntArray,
    confidence: float = 0.95,
    samples: int = 1000,
    seed: int = 0,
) -> tuple[FloatArray, FloatArray]:
    """Bounds of the share of outcomes that are so among the tiles of each code: whole groups are resampled.

    Percentiles, widened for the groups that have tiles of the code. Where every sample gives the same
    share, a group counts as one tile.

    Args:
        codes: Code of each tile, shape ``(N,)``.
        outcomes: What is counted, shape ``(N,)``.
        size: Number of codes.
        clusters: Group of each tile, numbered from 0, shape ``(N,)``.
        confidence: Of the intervals.
        samples: Number of resampled tables.
        seed: Of the resampling.

    Returns:
        Lower and upper bounds, each of shape ``(size,)``; NaN for a code without tiles.
    """
    hits, counts = outcomes.astype(np.float64), np.zeros((0, size))
    won = np.zeros((0, size))
    for weights in clustered_draws(clusters, samples, seed):
        counts = np.concatenate([counts, weights.sums(codes, None, size)])
        won = np.concatenate([won, weights.sums(codes, hits, size)])
    shares = ratio(won, counts)
    low, high = np.full((2, size), np.nan)
    for code in np.unique(codes).tolist():
        groups = len(np.unique(clusters[codes == code]))
        drawn = shares[np.isfinite(shares[:, code]), code]
        if drawn.size and np.ptp(drawn) > 0:
            tail = tail_of(confidence, groups)
            low[code], high[code] = np.quantile(drawn, [tail, 1 - tail])
        else:
            share = float(hits[codes == code].mean())
            low[code], high[code] = wilson(share * groups, groups, confidence)
    return low, high
