"""Positive predictive value (precision) of one class."""

from histocli.metrics.definitions.arrays import FloatArray, ratio
from histocli.metrics.definitions.confusion import OneVersusRest


def positive_predictive_value(counts: OneVersusRest) -> FloatArray:
    """Share of the tiles predicted as the class that is of the class; depends on the prevalence.

    ``PPV = TP / (TP + FP)``

    Args:
        counts: One class against the rest, each count of shape ``(...)``.

    Returns:
        Shape ``(...)``; NaN when no tile is predicted as the class.
    """
    return ratio(counts.true_positives, counts.predicted_positives)
