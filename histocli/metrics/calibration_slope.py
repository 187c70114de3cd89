"""Calibration intercept and slope: are probabilities too high on average, and too extreme?"""

import math

import numpy as np
from scipy.special import expit, ndtri

from histocli.metrics.definitions.arrays import BoolArray, FloatArray, IntArray
from histocli.metrics.intervals import UNDEFINED, Interval
from histocli.metrics.logistic import fit_logistic
from histocli.metrics.logits import log_odds
from histocli.metrics.records import Record
from histocli.metrics.uncertainty import finite, record_of

SANDWICH = "wald (sandwich)"
CLUSTERED_SANDWICH = "wald (sandwich, clustered by group)"


def calibration_slope(
    is_positive: BoolArray,
    scores: FloatArray,
    clusters: IntArray | None,
    confidence: float = 0.95,
) -> dict[str, Record]:
    """Intercept and slope of a logistic regression of the outcome on the log odds of the score.

    The intercept is fitted with the slope held at 1 (calibration in the large): above 0 the
    probabilities are too low on average. The slope is fitted with an intercept of its own: below 1 the
    probabilities are too extreme.

    Args:
        is_positive: True for the tiles of the class, shape ``(N,)``.
        scores: Its probability, shape ``(N,)``.
        clusters: Group of each tile, numbered from 0; None when tiles stand alone.
        confidence: Of the intervals.

    Returns:
        Records of ``calibration_intercept`` and ``calibration_slope``.

    Source:
        Cox, Biometrika 45 (1958) 562-565; Van Calster et al., Journal of Clinical Epidemiology 74
        (2016) 167-176. Intervals: Liang and Zeger, Biometrika 73 (1986) 13-22.
    """
    tiles = len(scores)
    if is_positive.all() or not is_positive.any():
        missing = Interval(UNDEFINED, UNDEFINED)
        reason = "it needs tiles of the class and tiles of another class"
        empty = record_of(UNDEFINED, missing, SANDWICH, tiles, reason)
        return {"calibration_intercept": empty, "calibration_slope": dict(empty)}
    outcomes, odds = is_positive.astype(np.float64), log_odds(scores)
    ones = np.ones((tiles, 1))
    both = np.concatenate([odds[:, np.newaxis], ones], axis=1)
    fits = {
        "calibration_intercept": (ones, odds, np.zeros(1)),
        "calibration_slope": (both, np.zeros(tiles), np.array([1.0, 0.0])),
    }
    z = float(ndtri((1 + confidence) / 2))
    records = {}
    for name, (features, offset, start) in fits.items():
        found = fit_logistic(features, outcomes, start, offset)
        residual = outcomes - expit(features @ found + offset)
        error = _standard_error(features, residual, offset + features @ found, None)
        method, reported = SANDWICH, error
        if clusters is not None:
            method = CLUSTERED_SANDWICH
            reported = _standard_error(features, residual, offset + features @ found, clusters)
        value = float(found[0])
        endless = name == "calibration_slope" and _is_separated(is_positive, odds)
        record = record_of(
            UNDEFINED if endless else value,
            _around(value, z * reported),
            method,
            tiles,
            "the score separates the classes perfectly, or does not vary",
        )
        if clusters is not None:
            around = _around(UNDEFINED if endless else value, z * error)
            record["ci_unclustered"] = [finite(around.low), finite(around.high)]
            record["method_unclustered"] = SANDWICH
        records[name] = record
    return records


def _is_separated(is_positive: BoolArray, odds: FloatArray) -> bool:
    """Then the steeper the slope the better, without end."""
    positives, negatives = odds[is_positive], odds[~is_positive]
    return bool(positives.min() >= negatives.max() or positives.max() <= negatives.min())


def _around(value: float, spread: float) -> Interval:
    if not np.isfinite(spread):
        return Interval(UNDEFINED, UNDEFINED, "there is one group only, or the fit is degenerate")
    return Interval(value - spread, value + spread)


def _standard_error(
    features: FloatArray, residual: FloatArray, linear: FloatArray, clusters: IntArray | None
) -> float:
    """Of the first coefficient, whatever the variance of the outcomes and however groups resemble."""
    expected = expit(linear)
    bread = (features * (expected * (1 - expected))[:, np.newaxis]).T @ features
    scores = features * residual[:, np.newaxis]
    units = len(residual)
    if clusters is not None:
        units = int(clusters.max()) + 1
        scores = np.stack([np.bincount(clusters, column, units) for column in scores.T], axis=1)
    if units < 2 or np.linalg.matrix_rank(bread, hermitian=True) < len(bread):
        return UNDEFINED
    # The norm of what each unit moves the coefficient by: unlike the diagonal of the covariance, no
    # rounding makes it negative where the classes are all but separated.
    influence = scores @ np.linalg.inv(bread)[:, 0]
    return float(np.linalg.norm(influence)) * math.sqrt(units / (units - 1))
