"""AUROC when whole clusters are drawn: pairs of tiles counted once for each pair of clusters.

How often a tile of the class in cluster c beats another tile in cluster d does not change from one
resampled table to the next; only how often c and d are in it does. So the pairs won are a quadratic
form of the draws: exact, and as cheap for two thousand tables as for one.
"""

import numpy as np

from histocli.metrics.definitions.arrays import FloatArray, IntArray
from histocli.metrics.definitions.ranking import Ranking
from histocli.metrics.definitions.weights import ClusterWeights

# With more clusters than this it is faster to rank each table anew.
MOST_CLUSTERS = 256
# Scores looked at together: the tables of clusters by scores stay small.
BLOCK_SCORES = 4096


def pairs_won(ranking: Ranking, weights: ClusterWeights) -> tuple[FloatArray, FloatArray]:
    """Pairs of a tile of the class and another tile: those won, ties a half, and all.

    Args:
        ranking: The scores.
        weights: How often each cluster counts.

    Returns:
        Pairs won and all pairs, each of shape ``(...)``.
    """
    clusters = weights.clusters[ranking.tiles]
    positives = np.bincount(clusters[ranking.is_positive], minlength=weights.count)
    negatives = np.bincount(clusters[~ranking.is_positive], minlength=weights.count)
    drawn = weights.multiplicities
    # The counts are whole or half numbers below 2^53, so that BLAS adds them without rounding.
    won = np.sum((drawn @ _won_by_cluster(ranking, clusters, weights.count)) * drawn, axis=-1)
    return won, (drawn @ positives) * (drawn @ negatives)


def _won_by_cluster(ranking: Ranking, clusters: IntArray, count: int) -> FloatArray:
    """Pairs won by the tiles of cluster c over those of cluster d, shape ``(C, C)``."""
    score_of = np.repeat(np.arange(len(ranking.starts)), ranking.sizes)
    won, below = np.zeros((count, count)), np.zeros((count, 1))
    for first in range(0, len(ranking.starts), BLOCK_SCORES):
        size = min(BLOCK_SCORES, len(ranking.starts) - first)
        inside = slice(*np.searchsorted(score_of, [first, first + size]).tolist())
        cells = clusters[inside] * size + score_of[inside] - first
        is_positive = ranking.is_positive[inside]
        positives, negatives = (
            np.bincount(cells[chosen], minlength=count * size).reshape(count, size)
            for chosen in (is_positive, ~is_positive)
        )
        beaten = below + np.cumsum(negatives, axis=1) - negatives / 2
        won += positives.astype(np.float64) @ beaten.T
        below += negatives.sum(axis=1, keepdims=True)
    return won
