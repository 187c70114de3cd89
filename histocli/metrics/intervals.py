"""Confidence intervals: Wilson's and the exact one of a proportion, percentiles of a bootstrap."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betaincinv, ndtr, ndtri, stdtrit

from histocli.metrics.definitions.arrays import FloatArray, ratio

UNDEFINED = float("nan")
# From successes, trials and confidence to lower and upper bounds.
ProportionInterval = Callable[[ArrayLike, ArrayLike, float], tuple[FloatArray, FloatArray]]


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


def clopper_pearson(
    successes: ArrayLike, trials: ArrayLike, confidence: float = 0.95
) -> tuple[FloatArray, FloatArray]:
    """Exact interval of a proportion: never covers less than it says, mostly more.

    The proportions at which as many successes, or as few, have at least half of the error's chance:
    quantiles of the beta distributions ``B(x, n - x + 1)`` and ``B(x + 1, n - x)``.

    Args:
        successes: Counts of any shape.
        trials: Counts of the same shape.
        confidence: Between 0 and 1.

    Returns:
        Lower and upper bounds within [0, 1]; NaN without trials.

    Source:
        Clopper and Pearson, Biometrika 26 (1934) 404-413.
    """
    hits, count = np.asarray(successes, np.float64), np.asarray(trials, np.float64)
    misses, tail = count - hits, (1 - confidence) / 2
    # The beta distributions do not exist at no success and at no failure; the bounds do.
    low = np.where(hits == 0, 0.0, betaincinv(np.maximum(hits, 1), misses + 1, tail))
    high = np.where(misses == 0, 1.0, betaincinv(hits + 1, np.maximum(misses, 1), 1 - tail))
    nothing = count == 0
    return np.where(nothing, np.nan, low), np.where(nothing, np.nan, high)


def tail_of(confidence: float, units: int | None = None) -> float:
    """Share cut off at each end; less of it where few units were resampled.

    A bootstrap of n units is too narrow by ``sqrt((n - 1) / n)``, and takes the normal distribution
    where Student's belongs. The share that corrects both is ``Phi(sqrt(n / (n - 1)) t)``.

    Source:
        Hesterberg, The American Statistician 69 (2015) 371-386, section 3.4.
    """
    tail = (1 - confidence) / 2
    if units is None or units < 2:
        return tail
    return float(ndtr(math.sqrt(units / (units - 1)) * stdtrit(units - 1, tail)))


def percentile_interval(
    replicates: FloatArray, confidence: float = 0.95, units: int | None = None
) -> Interval:
    """Interval between percentiles of bootstrap samples, interpolated linearly.

    Samples in which the metric is undefined are left out, and the reason says how many. When they
    are more than half there is no interval.

    Args:
        replicates: The metric in each sample, shape ``(R,)``.
        confidence: Between 0 and 1.
        units: How many groups or tiles were resampled: with few the interval is widened.

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
    tail = tail_of(confidence, units)
    low, high = np.quantile(defined, [tail, 1 - tail]).tolist()
    left_out = replicates.size - defined.size
    note = f"the interval leaves out {left_out} of {replicates.size} bootstrap samples, undefined"
    return Interval(low, high, note if left_out else None)


def reflected_interval(point: float, plain: Interval) -> Interval:
    """As far below the estimate as the percentiles reach above it, for an error that chance enlarges.

    A calibration error counts the scatter within its bins as error; a resampled table scatters twice, so
    its percentiles lie above the truth. The upper one is kept, and the lower taken from it:
    ``[2 estimate - upper, upper]``, the lower bound of the basic bootstrap.

    Args:
        point: The metric of the tiles as they are.
        plain: The percentile interval.

    Source:
        Davison and Hinkley, Bootstrap Methods and their Application (1997), equation 5.6. Differs in: the
        upper bound is that of the percentiles.
    """
    if not np.isfinite([plain.high, point]).all():
        return plain
    high = max(point, plain.high)
    return Interval(max(0.0, 2 * point - high), high, plain.reason)


# How the interval of a proportion can be made, by the name of the setting.
PROPORTION_INTERVALS: dict[str, ProportionInterval] = {
    "wilson": wilson,
    "clopper-pearson": clopper_pearson,
}
