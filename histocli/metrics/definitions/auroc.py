"""Area under the receiver operating characteristic curve of one class."""

import numpy as np

from histocli.metrics.definitions.arrays import BoolArray, FloatArray, ratio
from histocli.metrics.definitions.ranking import counts_by_score


def auroc(
    is_positive: BoolArray, scores: FloatArray, weights: FloatArray | None = None
) -> FloatArray:
    """Chance that a tile of the class scores above a tile of the rest; ties count a half.

    ``AUROC = (sum over pairs of [s+ > s-] + [s+ = s-] / 2) / (positives * negatives)``

    Args:
        is_positive: True for the tiles of the class, shape ``(N,)``.
        scores: Score of the class, shape ``(N,)``.
        weights: How often each tile counts, shape ``(..., N)``; once when None.

    Returns:
        Shape ``(...)``; NaN without tiles of the class or without others.

    Source:
        Hanley and McNeil, Radiology 143 (1982) 29-36.
    """
    positives, negatives = counts_by_score(is_positive, scores, weights)
    beaten = np.cumsum(negatives, axis=-1) - negatives / 2
    pairs = positives.sum(axis=-1) * negatives.sum(axis=-1)
    return ratio(np.einsum("...d,...d->...", positives, beaten), pairs)
