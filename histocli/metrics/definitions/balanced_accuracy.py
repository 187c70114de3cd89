"""Balanced accuracy over all classes."""

import numpy as np

from histocli.metrics.definitions.arrays import FloatArray, ratio


def balanced_accuracy(confusion: FloatArray) -> FloatArray:
    """Mean over the classes of the share of their tiles that is recognised.

    ``balanced accuracy = mean over classes of (diagonal / row sum)``

    Args:
        confusion: Counts, shape ``(..., K, K)``: rows true, columns predicted.

    Returns:
        Shape ``(...)``; NaN when a class has no tile.

    Source:
        scikit-learn's ``balanced_accuracy_score``. Differs in: a class of the model without tiles
        makes it undefined instead of being left out.
    """
    hits = np.diagonal(confusion, axis1=-2, axis2=-1)
    recognised = ratio(hits, confusion.sum(axis=-1))
    return np.asarray(recognised.mean(axis=-1), np.float64)
