"""Log loss (cross entropy, negative log-likelihood) over all classes."""

import numpy as np

from histocli.metrics.definitions.arrays import FloatArray, IntArray
from histocli.metrics.definitions.weights import Weights, mean_under

SMALLEST_PROBABILITY = float(np.finfo(np.float64).eps)


def log_loss(
    label_indices: IntArray, probabilities: FloatArray, weights: Weights = None
) -> FloatArray:
    """Mean negative natural logarithm of the probability given to the true class.

    ``log loss = mean of -ln p_true``, with p kept within 2.2e-16 of 0 and 1 as scikit-learn does,
    so that one certain mistake costs 36 and not infinity.

    Args:
        label_indices: True class of each tile, shape ``(N,)``.
        probabilities: Shape ``(N, K)``.
        weights: How often each tile counts; once when None.

    Returns:
        Shape ``(...)``; NaN without tiles.
    """
    true = probabilities[np.arange(len(label_indices)), label_indices]
    bounded = np.clip(true, SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY)
    return mean_under(-np.log(bounded), weights)
