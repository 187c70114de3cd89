"""Accuracy over all classes."""

import numpy as np

from histocli.metrics.definitions.arrays import FloatArray, ratio


def accuracy(confusion: FloatArray) -> FloatArray:
    """Share of the tiles whose predicted class is the true one.

    ``accuracy = sum of the diagonal / sum of all``

    Args:
        confusion: Counts, shape ``(..., K, K)``: rows true, columns predicted.

    Returns:
        Shape ``(...)``; NaN without tiles.
    """
    return ratio(np.trace(confusion, axis1=-2, axis2=-1), confusion.sum(axis=(-2, -1)))
