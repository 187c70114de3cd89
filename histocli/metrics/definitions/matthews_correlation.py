"""Matthews correlation coefficient over all classes."""

import numpy as np

from histocli.metrics.definitions.arrays import FloatArray, ratio


def matthews_correlation(confusion: FloatArray) -> FloatArray:
    """Correlation between the true and the predicted class.

    ``(c s - sum t_k p_k) / sqrt((s^2 - sum p_k^2) (s^2 - sum t_k^2))`` with c the tiles predicted
    rightly, s all tiles, t_k the tiles of class k and p_k those predicted as class k.

    Args:
        confusion: Counts, shape ``(..., K, K)``: rows true, columns predicted.

    Returns:
        Shape ``(...)``; NaN when the labels or the predictions hold a single class.

    Source:
        Gorodkin, Computational Biology and Chemistry 28 (2004) 367-374. Differs from scikit-learn
        in: undefined is NaN, not 0.
    """
    true, predicted = confusion.sum(axis=-1), confusion.sum(axis=-2)
    total = true.sum(axis=-1)
    right = np.trace(confusion, axis1=-2, axis2=-1)
    spread_true = total**2 - np.vecdot(true, true)
    spread_predicted = total**2 - np.vecdot(predicted, predicted)
    covariance = right * total - np.vecdot(true, predicted)
    return ratio(covariance, np.sqrt(spread_true * spread_predicted))
