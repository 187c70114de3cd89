"""Cohen's kappa with quadratic weights, for classes that have an order."""

import numpy as np

from histocli.metrics.definitions.arrays import FloatArray, ratio


def quadratic_kappa(confusion: FloatArray) -> FloatArray:
    """Agreement beyond chance where a near miss counts less than a far one.

    ``kappa = 1 - sum w O / sum w E`` with ``w = (i - j)^2``, the observed counts O and those
    expected from the row and column sums E. It means something only where the order of the classes
    does (grades); of two classes it equals the unweighted kappa.

    Args:
        confusion: Counts, shape ``(..., K, K)``: rows true, columns predicted.

    Returns:
        Shape ``(...)``; NaN when labels and predictions hold the same single class.

    Source:
        Cohen, Psychological Bulletin 70 (1968) 213-220.
    """
    classes = confusion.shape[-1]
    penalty = np.square(np.subtract.outer(np.arange(classes), np.arange(classes))).astype(float)
    true, predicted = confusion.sum(axis=-1), confusion.sum(axis=-2)
    total = true.sum(axis=-1)
    observed = np.einsum("ij,...ij->...", penalty, confusion) * total
    expected = np.einsum("ij,...i,...j->...", penalty, true, predicted)
    return 1 - ratio(observed, expected)
