"""Negative predictive value of one class."""

from histocli.metrics.definitions.arrays import FloatArray, ratio
from histocli.metrics.definitions.confusion import OneVersusRest


def negative_predictive_value(counts: OneVersusRest) -> FloatArray:
    """Share of the tiles predicted as another class that is of another; depends on the prevalence.

    ``NPV = TN / (TN + FN)``

    Args:
        counts: One class against the rest, each count of shape ``(...)``.

    Returns:
        Shape ``(...)``; NaN when every tile is predicted as the class.
    """
    return ratio(counts.true_negatives, counts.predicted_negatives)
