"""Brier score of one class."""

from histocli.metrics.definitions.arrays import BoolArray, FloatArray, weighted_mean


def brier(
    is_positive: BoolArray, scores: FloatArray, weights: FloatArray | None = None
) -> FloatArray:
    """Mean squared distance between the probability of the class and what happened.

    ``Brier = mean of (p - y)^2``, from 0 (best) to 1. For more than two classes the headline is the
    mean over the classes of this one-versus-rest score: Brier's sum over the classes, divided by K.

    Args:
        is_positive: True for the tiles of the class, shape ``(N,)``.
        scores: Probability of the class, shape ``(N,)``.
        weights: How often each tile counts, shape ``(..., N)``; once when None.

    Returns:
        Shape ``(...)``; NaN without tiles.

    Source:
        Brier, Monthly Weather Review 78 (1950) 1-3. Differs in: divided by the number of classes.
    """
    return weighted_mean((scores - is_positive) ** 2, weights)
