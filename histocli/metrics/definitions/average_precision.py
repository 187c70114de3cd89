"""Average precision: the area under the precision-recall steps of one class."""

import numpy as np

from histocli.metrics.definitions.arrays import BoolArray, FloatArray, ratio
from histocli.metrics.definitions.descent import Above
from histocli.metrics.definitions.ranking import Ranking
from histocli.metrics.definitions.weights import Weights


def average_precision(
    is_positive: BoolArray, scores: FloatArray, weights: Weights = None
) -> FloatArray:
    """Mean precision over the tiles of the class, without interpolation.

    ``AP = sum over distinct scores, highest first, of (recall_n - recall_(n-1)) * precision_n``

    Args:
        is_positive: True for the tiles of the class, shape ``(N,)``.
        scores: Score of the class, shape ``(N,)``.
        weights: How often each tile counts; once when None.

    Returns:
        Shape ``(...)``; NaN without tiles of the class.

    Source:
        scikit-learn's ``average_precision_score``. Differs in: undefined is NaN, not 0.
    """
    return ranked_average_precision(Ranking.of(is_positive, scores), weights)


def ranked_average_precision(ranking: Ranking, weights: Weights = None) -> FloatArray:
    """``average_precision`` of scores that are sorted already."""
    return ranking.each_row(weights, _mean_precision)


def _mean_precision(above: Above) -> FloatArray:
    # Where nothing is called nothing is found: zero, whatever it is divided by.
    precision = above.found / np.maximum(above.called, np.finfo(np.float64).tiny)
    return ratio(np.einsum("...p,...p->...", above.own, precision), above.own.sum(axis=-1))
