"""How alike two maps of a tile are: Spearman's rank correlation."""

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from histocli.explain.scores.enlarging import enlarge


def rank_correlations(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of each tile's two maps, over the cells of the finer grid, shape ``(N,)``.

    0 where a map is alike everywhere: it has nothing in common with any other.

    Args:
        one: Shape ``(N, h, w)``, none negative.
        other: Shape ``(N, h', w')``.
    """
    height, width = np.maximum(one.shape[1:], other.shape[1:]).tolist()
    rows = [
        rankdata(_on_grid(maps, height, width).reshape(len(maps), -1), axis=1)
        for maps in (one, other)
    ]
    first, second = (ranks - ranks.mean(axis=1, keepdims=True) for ranks in rows)
    together = (first * second).sum(axis=1)
    size = np.sqrt((first**2).sum(axis=1) * (second**2).sum(axis=1))
    return np.divide(together, size, out=np.zeros(len(one)), where=size > 0)


def _on_grid(maps: NDArray[np.float64], height: int, width: int) -> NDArray[np.float64]:
    return maps if maps.shape[1:] == (height, width) else enlarge(maps, height, width)
