"""Confidence intervals: Wilson's for a proportion, percentiles for bootstrap samples."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

from histocli.metrics.definitions.arrays import FloatArray, ratio

UNDEFINED = float("nan")


@dataclass(frozen=True)
class Interval:
    """A confidence interval; NaN bounds have a reason, and so have samples that were left out."""

    low: float
    high: float
    reason: str | None = None


def wilson(
    successes: ArrayLike, trials: ArrayLike, confidence: float = 0.95
) -> tuple[FloatArray, FloatArray]:
    """Wilson score interval of a proportion, without continuity correction.

    ``(p + z^2/2n -+ z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2/n)``

    Args:
        successes: Counts of any shape.
        trials: Counts of the same shape.
        confidence: Between 0 and 1.

    Returns:
        Lower and upper bounds within [0, 1]; NaN without trials.

    Source:
        Wilson, JASA 22 (1927) 209-212; Newcombe, Statistics in Medicine 17 (1998)
        857-872, method 3.
    """
    hits, count = np.asarray(successes, np.float64), np.asarray(trials, np.float64)
    misses = count - hits
    z = float(ndtri((1 + confidence) / 2))
    spread = z * np.sqrt(ratio(hits * misses, count) + z**2 / 4)
    low = ratio(hits + z**2 / 2 - spread, count + z**2)
    high = ratio(hits + z**2 / 2 + spread, count + z**2)
    # The bounds at no success and at no failure are exact; rounding must not move them.
    low = np.where(hits == 0, 0.0, np.clip(low, 0, 1))
    high = np.where(misses == 0, 1.0, np.clip(high, 0, 1))
    nothing = count == 0
    return np.where(nothing, np.nan, low), np.where(nothing, np.nan, high)


def percentile_interval(replicates: FloatArray, confidence: float = 0.95) -> Interval:
    """Interval between percentiles of bootstrap samples, interpolated linearly.

    Samples in which the metric is undefined are left out, and the reason says how many. When they
    are more than half there is no interval.

    Args:
        replicates: The metric in each sample, shape ``(R,)``.
        confidence: Between 0 and 1.

    Source:
        Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 13.
    """
    if replicates.size == 0:
        return Interval(UNDEFINED, UNDEFINED, "no bootstrap samples were asked for")
    defined = replicates[np.isfinite(replicates)]
    if 2 * defined.size < replicates.size:
        return Interval(
            UNDEFINED, UNDEFINED, "it is undefined in more than half of the bootstrap samples"
        )
    tail = (1 - confidence) / 2
    low, high = np.quantile(defined, [tail, 1 - tail]).tolist()
    left_out = replicates.size - defined.size
    note = f"the interval leaves out {left_out} of {replicates.size} bootstrap samples, undefined"
    return Interval(low, high, note if left_out else None)
