"""Sensitivity (recall, true positive rate) of one class."""

from histocli.metrics.definitions.arrays import FloatArray, ratio
from histocli.metrics.definitions.confusion import OneVersusRest


def sensitivity(counts: OneVersusRest) -> FloatArray:
    """Share of the tiles of the class that is predicted as the class.

    ``sensitivity = TP / (TP + FN)``

    Args:
        counts: One class against the rest, each count of shape ``(...)``.

    Returns:
        Shape ``(...)``; NaN without tiles of the class.
    """
    return ratio(counts.true_positives, counts.positives)
