"""Bias-corrected and accelerated bootstrap intervals, and when they cannot be trusted."""

import math

import numpy as np
from scipy.special import ndtr, ndtri

from histocli.metrics.definitions.arrays import FloatArray
from histocli.metrics.intervals import UNDEFINED, Interval, tail_of

# Beyond these the corrections are extrapolations: percentiles are taken instead, and it is said.
LEAST_UNITS = 20
MOST_BIAS = 0.5
MOST_ACCELERATION = 0.1
# A bound is read off at least this many samples from the end.
SAMPLES_BEYOND = 5


def bca_interval(
    replicates: FloatArray,
    point: float,
    left_out: FloatArray,
    units: int,
    confidence: float = 0.95,
) -> Interval:
    """Percentiles moved for the bias and the skewness of the bootstrap distribution.

    ``level = Phi(z0 + (z0 + z) / (1 - a (z0 + z)))`` with z0 from the share of samples below the
    estimate (ties a half) and ``a = sum d^3 / (6 (sum d^2)^1.5)`` from the jackknife.

    Args:
        replicates: The metric in each bootstrap sample, shape ``(R,)``.
        point: The metric of the tiles as they are.
        left_out: The metric without one unit, or one block of units, shape ``(U,)``.
        units: How many groups or tiles were resampled.
        confidence: Between 0 and 1.

    Returns:
        An interval without bounds, and the reason, where it cannot be trusted.

    Source:
        Efron, JASA 82 (1987) 171-185; tails widened for few units as in ``percentile_interval``.
    """
    if units < LEAST_UNITS:
        return _unusable(f"fewer than {LEAST_UNITS} groups or tiles were resampled")
    if not (np.isfinite(replicates).all() and np.isfinite(left_out).all()):
        return _unusable("the metric is undefined in some samples")
    below = (replicates < point).mean() + (replicates == point).mean() / 2
    bias = float(ndtri(below))
    if not abs(bias) <= MOST_BIAS:
        return _unusable(f"{below:.0%} of the samples lie below the estimate")
    deviations = left_out.mean() - left_out
    spread = float(np.sum(deviations**2))
    acceleration = float(np.sum(deviations**3)) / (6 * spread**1.5) if spread > 0 else math.nan
    if not abs(acceleration) <= MOST_ACCELERATION:
        return _unusable("few units decide the value")
    normal = float(ndtri(tail_of(confidence, units)))
    moved = [bias + (bias + z) / (1 - acceleration * (bias + z)) for z in (normal, -normal)]
    low, high = (float(ndtr(each)) for each in moved)
    if min(low, 1 - high) * len(replicates) < SAMPLES_BEYOND:
        return _unusable("there are too few samples for it")
    bounds = np.quantile(replicates, [low, high]).tolist()
    return Interval(*bounds)


def _unusable(why: str) -> Interval:
    return Interval(UNDEFINED, UNDEFINED, f"percentiles, not BCa: {why}")
