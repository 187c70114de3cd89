"""Decision curve: is acting on the model worth more than treating all, or none?"""

from typing import Any

import numpy as np

from histocli.metrics.definitions.arrays import BoolArray, FloatArray, ratio
from histocli.metrics.definitions.weights import Weights, weighted_sums
from histocli.metrics.labelled import Labelled
from histocli.metrics.uncertainty import Uncertainty

# A reader who needs a finer grid has predictions.csv.
THRESHOLDS = np.arange(1, 100) / 100


def net_benefit(
    is_positive: BoolArray,
    scores: FloatArray,
    thresholds: FloatArray,
    prevalence: float | None = None,
    weights: Weights = None,
) -> FloatArray:
    """True positives per tile, less the false ones at the exchange rate that the threshold states.

    ``NB(t) = se p - (1 - sp)(1 - p) t / (1 - t)`` with p the prevalence, for ``score >= t``; at the
    tiles' own prevalence that is ``TP / n - FP / n * t / (1 - t)``.

    Args:
        is_positive: True for the tiles of the class, shape ``(N,)``.
        scores: Its probability, shape ``(N,)``.
        thresholds: Ascending, below 1, shape ``(T,)``.
        prevalence: Share of positives to assume; that of the tiles when None.
        weights: How often each tile counts; once when None.

    Returns:
        Shape ``(..., T)``; NaN where a class that is needed has no tile.

    Source:
        Vickers and Elkin, Medical Decision Making 26 (2006) 565-574.
    """
    outcomes = is_positive.astype(np.float64)
    # Code c: the score reaches the first c thresholds.
    codes = np.searchsorted(thresholds, scores, side="right").astype(np.int64)
    size = len(thresholds) + 1
    hits = _from_above(weighted_sums(codes, outcomes, size, weights))
    alarms = _from_above(weighted_sums(codes, 1 - outcomes, size, weights))
    positives, negatives = hits[..., :1], alarms[..., :1]
    share = ratio(positives, positives + negatives) if prevalence is None else prevalence
    gain = np.where(positives > 0, ratio(hits[..., 1:], positives) * share, _without(share))
    loss = np.where(
        negatives > 0, ratio(alarms[..., 1:], negatives) * (1 - share), _without(1 - share)
    )
    return np.asarray(gain - loss * thresholds / (1 - thresholds), np.float64)


def treat_all(thresholds: FloatArray, prevalence: float) -> FloatArray:
    """Net benefit of calling every tile positive; that of calling none is zero."""
    return np.asarray(prevalence - (1 - prevalence) * thresholds / (1 - thresholds), np.float64)


def moved_to_prevalence(scores: FloatArray, before: float, after: float) -> FloatArray:
    """Probabilities as they would be where the class has another prevalence.

    By Bayes' theorem the odds change as the odds of the prevalence do.

    Args:
        scores: Probabilities of the class, shape ``(N,)``.
        before: Prevalence for which they hold, between 0 and 1.
        after: Prevalence for which they shall hold.

    Source:
        Elkan, The Foundations of Cost-Sensitive Learning, IJCAI 2001, theorem 2.
    """
    factor = after / (1 - after) * (1 - before) / before
    return np.asarray(scores * factor / (scores * factor + 1 - scores), np.float64)


def decision_curves(
    tiles: Labelled, valid: Labelled | None, prevalence: float | None, uncertainty: Uncertainty
) -> dict[str, Any]:
    """The decision curve of each class that is shown, with a band, as ``metrics.json`` has it.

    Args:
        tiles: Their calibrated probabilities are judged where there are some.
        valid: Tiles of the validation split, whose prevalence the probabilities hold for; that of the
            judged tiles is taken when None.
        prevalence: To assume, the probabilities being moved to it; that of the tiles when None.
        uncertainty: How the band is made: by groups where there are any.
    """
    curves = {}
    clusters = tiles.clusters
    for index in tiles.shown_classes:
        is_class, scores = tiles.is_class(index), tiles.best_probabilities[:, index]
        held_for = float((valid or tiles).is_class(index).mean())
        if prevalence is not None and 0 < held_for < 1:
            scores = moved_to_prevalence(scores, held_for, prevalence)

        def statistics(
            weights: Weights, is_class: BoolArray = is_class, scores: FloatArray = scores
        ) -> dict[str, FloatArray]:
            return {"model": net_benefit(is_class, scores, THRESHOLDS, prevalence, weights)}

        model = net_benefit(is_class, scores, THRESHOLDS, prevalence)
        share = float(is_class.mean()) if prevalence is None else prevalence
        everyone = treat_all(THRESHOLDS, share)
        band = uncertainty.band(statistics, "model", tiles.labels, clusters)
        better = model > np.maximum(everyone, 0) + 1e-12
        curves[tiles.classes[index]] = {
            "prevalence": share,
            "moved_from_prevalence": None if prevalence is None else held_for,
            "model": model.tolist(),
            "model_low": None if band is None else band[0].tolist(),
            "model_high": None if band is None else band[1].tolist(),
            "treat_all": everyone.tolist(),
            "better_than_both": _ranges(better),
        }
    return {
        "probabilities": "as_given" if tiles.calibrated is None else "calibrated",
        "thresholds": THRESHOLDS.tolist(),
        "curves": curves,
    }


def _from_above(counts: FloatArray) -> FloatArray:
    return np.asarray(np.cumsum(counts[..., ::-1], axis=-1)[..., ::-1], np.float64)


def _without(share: FloatArray | float) -> FloatArray:
    """A class without tiles adds nothing where it is assumed to be absent, else the sum is unknown."""
    return np.where(np.asarray(share) == 0, 0.0, np.nan)


def _ranges(better: BoolArray) -> list[list[float]]:
    """Runs of thresholds at which the model beats treating all and treating none."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], better, [False]]).astype(np.int8)))
    pairs = edges.reshape(-1, 2).tolist()
    return [[float(THRESHOLDS[first]), float(THRESHOLDS[last - 1])] for first, last in pairs]
