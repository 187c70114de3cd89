"""Specificity (true negative rate) of one class."""

from histocli.metrics.definitions.arrays import FloatArray, ratio
from histocli.metrics.definitions.confusion import OneVersusRest


def specificity(counts: OneVersusRest) -> FloatArray:
    """Share of the tiles of the other classes that is predicted as another class.

    ``specificity = TN / (TN + FP)``

    Args:
        counts: One class against the rest, each count of shape ``(...)``.

    Returns:
        Shape ``(...)``; NaN without tiles of another class.
    """
    return ratio(counts.true_negatives, counts.negatives)
