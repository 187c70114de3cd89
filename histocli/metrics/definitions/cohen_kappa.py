"""Cohen's kappa over all classes."""

import numpy as np

from histocli.metrics.definitions.arrays import FloatArray, ratio


def cohen_kappa(confusion: FloatArray) -> FloatArray:
    """Agreement of prediction and label beyond chance, unweighted.

    ``kappa = (observed - expected) / (1 - expected)`` with the observed share of agreement and the
    one expected from the row and column sums.

    Args:
        confusion: Counts, shape ``(..., K, K)``: rows true, columns predicted.

    Returns:
        Shape ``(...)``; NaN when labels and predictions hold the same single class.

    Source:
        Cohen, Educational and Psychological Measurement 20 (1960) 37-46.
    """
    true, predicted = confusion.sum(axis=-1), confusion.sum(axis=-2)
    total = true.sum(axis=-1)
    observed = np.trace(confusion, axis1=-2, axis2=-1) * total
    expected = np.vecdot(true, predicted)
    return ratio(observed - expected, total**2 - expected)
