"""Brier score of one class."""

from histocli.metrics.definitions.arrays import BoolArray, FloatArray
from histocli.metrics.definitions.weights import Weights, mean_under


def brier(is_positive: BoolArray, scores: FloatArray, weights: Weights = None) -> FloatArray:
    """Mean squared distance between the probability of the class and what happened.

    ``Brier = mean of (p - y)^2``, from 0 (best) to 1. For more than two classes the headline is the
    mean over the classes of this one-versus-rest score: Brier's sum over the classes, divided by K.

    Args:
        is_positive: True for the tiles of the class, shape ``(N,)``.
        scores: Probability of the class, shape ``(N,)``.
        weights: How often each tile counts; once when None.

    Returns:
        Shape ``(...)``; NaN without tiles.

    Source:
        Brier, Monthly Weather Review 78 (1950) 1-3. Differs in: divided by the number of classes.
    """
    return mean_under((scores - is_positive) ** 2, weights)
