"""Area under the receiver operating characteristic curve of one class."""

import numpy as np

from histocli.metrics.definitions.arrays import BoolArray, FloatArray, IntArray, ratio
from histocli.metrics.definitions.cluster_pairs import MOST_CLUSTERS, pairs_won
from histocli.metrics.definitions.descent import Above
from histocli.metrics.definitions.ranking import Ranking
from histocli.metrics.definitions.weights import ClusterWeights, Weights


def auroc(is_positive: BoolArray, scores: FloatArray, weights: Weights = None) -> FloatArray:
    """Chance that a tile of the class scores above a tile of the rest; ties count a half.

    ``AUROC = (sum over pairs of [s+ > s-] + [s+ = s-] / 2) / (positives * negatives)``

    Args:
        is_positive: True for the tiles of the class, shape ``(N,)``.
        scores: Score of the class, shape ``(N,)``.
        weights: How often each tile counts; once when None.

    Returns:
        Shape ``(...)``; NaN without tiles of the class or without others.

    Source:
        Hanley and McNeil, Radiology 143 (1982) 29-36.
    """
    return ranked_auroc(Ranking.of(is_positive, scores), weights)


def macro_auroc(probabilities: FloatArray, labels: IntArray) -> float:
    """Each class against the rest, the mean over the classes; NaN where a class is absent.

    Args:
        probabilities: Shape ``(N, K)``.
        labels: Class of each tile, shape ``(N,)``.
    """
    classes = range(probabilities.shape[1])
    return float(np.mean([auroc(labels == k, probabilities[:, k]) for k in classes]))


def ranked_auroc(ranking: Ranking, weights: Weights = None) -> FloatArray:
    """``auroc`` of scores that are sorted already."""
    if isinstance(weights, ClusterWeights) and weights.count <= MOST_CLUSTERS:
        return ratio(*pairs_won(ranking, weights))
    return ranking.each_row(weights, _area)


def _area(above: Above) -> FloatArray:
    positives = above.own.sum(axis=-1)
    pairs = positives * (above.total - positives)
    return ratio(pairs - np.einsum("...p,...p->...", above.own, above.others), pairs)
