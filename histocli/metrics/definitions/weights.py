"""How often each tile counts: once, as often as it was drawn, or as often as its cluster was.

Where whole clusters are drawn, sums over tiles need the tiles only once: each cluster's sums first,
then their products with the draws. Two thousand resampled tables cost little more than one.
"""

from dataclasses import dataclass

import numpy as np

from histocli.metrics.definitions.arrays import (
    FloatArray,
    IntArray,
    ratio,
    sums_by_code,
    weighted_mean,
)


@dataclass(frozen=True)
class ClusterWeights:
    """Weights that are the same for all tiles of a cluster.

    Attributes:
        multiplicities: How often each cluster counts, shape ``(..., C)``.
        clusters: Cluster of each tile, numbered from 0, shape ``(N,)``.
    """

    multiplicities: FloatArray
    clusters: IntArray

    @property
    def count(self) -> int:
        """Number of clusters C."""
        return int(self.multiplicities.shape[-1])

    def sums(self, codes: IntArray, values: FloatArray | None, size: int) -> FloatArray:
        """Weighted sums over the tiles of each code; shape ``(..., size)``."""
        cells = np.bincount(self.clusters * size + codes, values, self.count * size)
        by_cluster = cells.reshape(self.count, size).astype(np.float64)
        # einsum, not a product of BLAS: the same bytes for any number of threads.
        return np.asarray(np.einsum("...c,cs->...s", self.multiplicities, by_cluster), np.float64)


Weights = FloatArray | ClusterWeights | None


def weighted_sums(
    codes: IntArray, values: FloatArray | None, size: int, weights: Weights
) -> FloatArray:
    """Sum ``values`` over the tiles of each code, each tile counted as often as its weight says.

    Args:
        codes: Code of each tile, shape ``(N,)``.
        values: Shape ``(N,)``; ones when None.
        size: Number of codes.
        weights: How often each tile counts; once when None.

    Returns:
        Shape ``(..., size)``.
    """
    if isinstance(weights, ClusterWeights):
        return weights.sums(codes, values, size)
    if weights is None:
        return np.bincount(codes, values, size).astype(np.float64)
    return sums_by_code(codes, weights if values is None else weights * values, size)


def weighted_total(weights: Weights, tiles: int) -> FloatArray:
    """How many tiles there are in each row of weights, shape ``(...)``."""
    if weights is None:
        return np.array(float(tiles))
    if isinstance(weights, ClusterWeights):
        return weighted_sums(np.zeros(tiles, np.int64), None, 1, weights)[..., 0]
    return np.asarray(weights.sum(axis=-1))


def mean_under(values: FloatArray, weights: Weights) -> FloatArray:
    """Mean of ``values`` ``(N,)`` under each row of weights; shape ``(...)``."""
    if not isinstance(weights, ClusterWeights):
        return weighted_mean(values, weights)
    total = weights.sums(np.zeros(len(values), np.int64), values, 1)[..., 0]
    return ratio(total, weighted_total(weights, len(values)))


def weights_of_tiles(weights: Weights, tiles: IntArray) -> FloatArray:
    """The weights of chosen tiles, in their order; shape ``(..., len(tiles))``."""
    if weights is None:
        return np.ones(len(tiles))
    if isinstance(weights, ClusterWeights):
        return np.take(weights.multiplicities, weights.clusters[tiles], axis=-1)
    return np.take(weights, tiles, axis=-1)
