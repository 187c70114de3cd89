"""Array types of the metrics, and division where nothing to divide by means undefined."""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]


def ratio(numerator: ArrayLike, denominator: ArrayLike) -> FloatArray:
    """Divide elementwise; NaN, without a warning, where the denominator is zero."""
    over, under = np.broadcast_arrays(
        np.asarray(numerator, np.float64), np.asarray(denominator, np.float64)
    )
    quotient = np.full(over.shape, np.nan)
    np.divide(over, under, out=quotient, where=under != 0)
    return quotient


def tile_weights(weights: FloatArray | None, tiles: int) -> FloatArray:
    """The given weights, or one for each tile."""
    return np.ones(tiles) if weights is None else weights


def weighted_mean(values: FloatArray, weights: FloatArray | None) -> FloatArray:
    """Mean of ``values`` ``(N,)`` under each row of ``weights`` ``(..., N)``; shape ``(...)``."""
    weights = tile_weights(weights, len(values))
    # einsum, not a product of BLAS: the same bytes for any number of threads.
    return ratio(np.einsum("...n,n->...", weights, values), weights.sum(axis=-1))


def sums_by_code(codes: IntArray, values: FloatArray, size: int) -> FloatArray:
    """Sum ``values`` ``(..., N)`` over the tiles of each code ``(N,)``; shape ``(..., size)``."""
    rows = values.reshape(math.prod(values.shape[:-1]), len(codes))
    sums = [np.bincount(codes, row, size) for row in rows]
    return np.array(sums, np.float64).reshape(*values.shape[:-1], size)
