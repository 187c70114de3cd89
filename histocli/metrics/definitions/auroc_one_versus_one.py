"""AUROC of several classes, each against each other one: Hand and Till's M."""

from itertools import permutations

import numpy as np

from histocli.metrics.definitions.arrays import FloatArray
from histocli.metrics.definitions.auroc import ranked_auroc
from histocli.metrics.definitions.rankings import Rankings
from histocli.metrics.definitions.weights import Weights


def auroc_one_versus_one(rankings: Rankings, weights: Weights = None) -> FloatArray:
    """Chance that a tile of one class scores higher for it than a tile of another, mean of pairs.

    ``M = 1 / (K (K - 1)) * sum over ordered pairs (a, b) of AUROC of a against b by a's score``.
    Unlike the mean of one against the rest it does not depend on how common the classes are.

    Args:
        rankings: The scores of each class.
        weights: How often each tile counts; once when None.

    Returns:
        Shape ``(...)``; NaN when a class has no tile, or there is one class only.

    Source:
        Hand and Till, Machine Learning 45 (2001) 171-186.
    """
    classes = rankings.probabilities.shape[1]
    areas = [
        ranked_auroc(rankings.of_pair(index, other), weights)
        for index, other in permutations(range(classes), 2)
    ]
    return np.mean(areas, axis=0) if areas else np.array(np.nan)
