"""Average precision: the area under the precision-recall steps of one class."""

import numpy as np

from histocli.metrics.definitions.arrays import BoolArray, FloatArray, ratio
from histocli.metrics.definitions.ranking import counts_by_score


def average_precision(
    is_positive: BoolArray, scores: FloatArray, weights: FloatArray | None = None
) -> FloatArray:
    """Mean precision over the tiles of the class, without interpolation.

    ``AP = sum over distinct scores, highest first, of (recall_n - recall_(n-1)) * precision_n``

    Args:
        is_positive: True for the tiles of the class, shape ``(N,)``.
        scores: Score of the class, shape ``(N,)``.
        weights: How often each tile counts, shape ``(..., N)``; once when None.

    Returns:
        Shape ``(...)``; NaN without tiles of the class.

    Source:
        scikit-learn's ``average_precision_score``. Differs in: undefined is NaN, not 0.
    """
    positives, negatives = counts_by_score(is_positive, scores, weights)
    positives, negatives = positives[..., ::-1], negatives[..., ::-1]
    found = np.cumsum(positives, axis=-1)
    called = found + np.cumsum(negatives, axis=-1)
    precision = np.divide(found, called, out=np.zeros_like(found), where=called != 0)
    return ratio(np.einsum("...d,...d->...", positives, precision), positives.sum(axis=-1))
