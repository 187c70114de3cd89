"""Selective prediction: what is left of the error if the least certain tiles go to a person."""

from typing import Any

import numpy as np

from histocli.metrics.definitions.arrays import BoolArray, FloatArray, IntArray, ratio
from histocli.metrics.definitions.weights import (
    Weights,
    mean_under,
    weighted_sums,
)
from histocli.metrics.labelled import Labelled
from histocli.metrics.uncertainty import Uncertainty

REFERRED = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5)
CURVE_POINTS = 100
# Resampled tables tell so many certainties apart: a finer grid moves no interval.
RESAMPLED_LEVELS = 1000


def certainty(tiles: Labelled, threshold: float | None) -> FloatArray:
    """How sure the decision is, from 0 to 1, shape ``(N,)``.

    Two classes: the distance of the positive class's probability from the threshold, as a share of what
    is possible on that side. More: the highest probability.

    Args:
        tiles: With the probabilities as the model gives them, which the threshold belongs to.
        threshold: Operating point of two classes; 0.5 when None.
    """
    if tiles.positive_index is None:
        return np.asarray(tiles.probabilities.max(axis=1), np.float64)
    cut = 0.5 if threshold is None else threshold
    scores = tiles.probabilities[:, tiles.positive_index]
    above, below = ratio(scores - cut, np.maximum(1 - cut, 0)), ratio(cut - scores, cut)
    return np.nan_to_num(np.where(scores >= cut, above, below), nan=0.0)


def risk_coverage(
    is_error: BoolArray,
    certain: FloatArray,
    weights: Weights = None,
    most_levels: int | None = None,
) -> tuple[FloatArray, FloatArray]:
    """Error among the tiles that are kept, for each certainty that may be demanded.

    Tiles of one certainty are kept or referred together.

    Args:
        is_error: True where the decision is wrong, shape ``(N,)``.
        certain: Certainty of the decision, shape ``(N,)``.
        weights: How often each tile counts; once when None.
        most_levels: Tell no more certainties apart than that; all when None.

    Returns:
        Coverage and risk, each ``(..., D)``, from the most certain tiles to all of them.
    """
    _, levels, counts = np.unique(-certain, return_inverse=True, return_counts=True)
    if most_levels is not None and len(counts) > most_levels:
        before = np.cumsum(counts) - counts
        levels = before[levels] * most_levels // len(certain)
    size = int(levels.max()) + 1
    kept = np.cumsum(weighted_sums(levels, None, size, weights), axis=-1)
    errors = np.cumsum(weighted_sums(levels, is_error.astype(np.float64), size, weights), axis=-1)
    return ratio(kept, kept[..., -1:]), ratio(errors, kept)


def area_under_risk_coverage(
    is_error: BoolArray,
    certain: FloatArray,
    weights: Weights = None,
    most_levels: int | None = None,
) -> FloatArray:
    """Mean, over the tiles, of the risk when every tile at least as certain is kept (AURC).

    Returns:
        Shape ``(...)``: 0 is best; the error rate is what random certainties give.

    Source:
        Geifman, Uziel and El-Yaniv, Bias-Reduced Uncertainty Estimation, ICLR 2019, equation 2.
    """
    coverage, risk = risk_coverage(is_error, certain, weights, most_levels)
    steps = np.diff(coverage, axis=-1, prepend=0.0)
    return np.asarray((steps * np.nan_to_num(risk)).sum(axis=-1), np.float64)


def least_area(error_rate: FloatArray) -> FloatArray:
    """The AURC of certainties that put every error last: ``e + (1 - e) ln(1 - e)``.

    Source:
        Geifman, Uziel and El-Yaniv, ICLR 2019.
    """
    right = 1 - error_rate
    return np.asarray(error_rate + right * np.log(np.maximum(right, 1e-300)), np.float64)


def selective_prediction(
    tiles: Labelled, threshold: float | None, uncertainty: Uncertainty
) -> dict[str, Any]:
    """Risk and coverage, and the metrics of what is kept, as ``metrics.json`` has them."""
    wrong = np.asarray(tiles.predicted != tiles.labels, np.bool_)
    certain = certainty(tiles, threshold)

    def coarse(weights: Weights) -> FloatArray:
        return area_under_risk_coverage(wrong, certain, weights, RESAMPLED_LEVELS)

    exact = area_under_risk_coverage(wrong, certain)

    def statistics(weights: Weights) -> dict[str, FloatArray]:
        area = exact if weights is None else coarse(weights) + exact - coarse(None)
        error = mean_under(wrong.astype(np.float64), weights)
        return {
            "area_under_risk_coverage": area,
            "excess_area": area - least_area(error),
        }

    coverage, risk = risk_coverage(wrong, certain)
    shown = _evenly(coverage)
    order = np.argsort(-certain, kind="stable")
    return {
        **uncertainty.records(statistics, tiles.labels, tiles.clusters),
        "certainty": "distance from the threshold"
        if tiles.positive_index is not None
        else "highest probability",
        "curve": {"coverage": coverage[shown].tolist(), "risk": risk[shown].tolist()},
        "referred": [
            _kept(tiles, order, certain, share, uncertainty)
            for share in REFERRED
            if round((1 - share) * len(tiles)) > 0
        ],
    }


def _evenly(coverage: FloatArray) -> list[int]:
    wanted = np.linspace(coverage[0], 1.0, CURVE_POINTS)
    nearest = np.clip(np.searchsorted(coverage, wanted - 1e-12), 0, len(coverage) - 1)
    return sorted(set(nearest.tolist()))


def _kept(
    tiles: Labelled,
    order: IntArray,
    certain: FloatArray,
    share: float,
    uncertainty: Uncertainty,
) -> dict[str, Any]:
    count = round((1 - share) * len(tiles))
    rows = np.sort(order[:count])
    kept = tiles.at(rows)
    records = uncertainty.metrics(kept, ("accuracy", "sensitivity", "specificity"))
    return {
        "referred": share,
        "kept": count,
        "least_certainty": float(certain[rows].min()),
        "metrics": records,
    }
