"""Share of the tiles whose class is among the k most probable."""

from functools import partial

import numpy as np

from histocli.metrics.definitions.arrays import FloatArray, IntArray
from histocli.metrics.definitions.weights import Weights, mean_under


def top_k_accuracy(
    label_indices: IntArray, probabilities: FloatArray, weights: Weights = None, *, k: int
) -> FloatArray:
    """Share of the tiles whose true class is among the k with the highest probability.

    Args:
        label_indices: True class of each tile, shape ``(N,)``.
        probabilities: Shape ``(N, K)``.
        weights: How often each tile counts; once when None.
        k: How many classes are taken.

    Returns:
        Shape ``(...)``; NaN without tiles.

    Source:
        scikit-learn's ``top_k_accuracy_score``: of equally probable classes the later goes first.
    """
    own = np.take_along_axis(probabilities, label_indices[:, np.newaxis], axis=1)
    later = np.arange(probabilities.shape[1]) > label_indices[:, np.newaxis]
    ahead = (probabilities > own) | ((probabilities == own) & later)
    return mean_under((ahead.sum(axis=1) < k).astype(np.float64), weights)


top_2_accuracy = partial(top_k_accuracy, k=2)
top_3_accuracy = partial(top_k_accuracy, k=3)
top_5_accuracy = partial(top_k_accuracy, k=5)
