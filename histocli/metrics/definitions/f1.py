"""F1 score of one class."""

from histocli.metrics.definitions.arrays import FloatArray, ratio
from histocli.metrics.definitions.confusion import OneVersusRest


def f1(counts: OneVersusRest) -> FloatArray:
    """Harmonic mean of sensitivity and positive predictive value.

    ``F1 = 2 TP / (2 TP + FP + FN)``

    Args:
        counts: One class against the rest, each count of shape ``(...)``.

    Returns:
        Shape ``(...)``; NaN when the class is neither present nor predicted.
    """
    return ratio(2 * counts.true_positives, counts.positives + counts.predicted_positives)
