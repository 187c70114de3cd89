"""Holm's adjustment: p-values that stay honest when several pairs are tested."""

from collections.abc import Sequence

import numpy as np

from histocli.metrics.definitions.arrays import FloatArray


def holm(p_values: Sequence[float] | FloatArray) -> FloatArray:
    """The smallest level at which each hypothesis falls while all together keep that level.

    The i-th smallest of m is multiplied by ``m - i + 1``, is not smaller than the one before, and at
    most 1. What is NaN was not tested, and does not count.

    Args:
        p_values: Shape ``(m,)``.

    Source:
        Holm, Scandinavian Journal of Statistics 6 (1979) 65-70.
    """
    given = np.asarray(p_values, np.float64)
    tested = np.flatnonzero(np.isfinite(given))
    order = tested[np.argsort(given[tested], kind="stable")]
    factors = np.arange(len(order), 0, -1)
    adjusted = np.full(given.shape, np.nan)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(given[order] * factors))
    return adjusted
