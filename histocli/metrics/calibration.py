"""Calibration: one temperature for the whole model, and the bins of a reliability diagram."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from histocli.errors import InputError
from histocli.metrics.definitions.arrays import BoolArray, FloatArray, IntArray, ratio
from histocli.metrics.definitions.expected_calibration_error import CALIBRATION_BINS, bin_of
from histocli.metrics.grouped_shares import grouped_share_bounds
from histocli.metrics.intervals import wilson

# Outside, the validation split says nothing, and the fit would run away.
LOWEST_TEMPERATURE, HIGHEST_TEMPERATURE = 0.05, 20.0
# The least that a float32 model can say; a zero means no more than this.
SMALLEST_PROBABILITY = float(np.finfo(np.float32).smallest_subnormal)


def fit_temperature(probabilities: FloatArray, label_indices: IntArray) -> float:
    """Find the temperature under which the labels are most likely.

    Minimises the log loss of ``softmax(ln(p) / T)`` over ``ln T`` by Brent's bounded search, which
    is deterministic; T stays within [0.05, 20]. Where every tile is classified rightly, the labels would
    be likeliest under T = 0, all probabilities 0 or 1; then one tile in N + 2 counts as wrong, the rule
    of succession that Platt uses too.

    Args:
        probabilities: Shape ``(N, K)``, as the model gives them on the validation split.
        label_indices: True class, -1 where unknown (left out), shape ``(N,)``.

    Returns:
        T: above 1 the model was too sure of itself, below 1 not sure enough.

    Raises:
        InputError: If no tile has a label.

    Source:
        Guo et al., On Calibration of Modern Neural Networks, ICML 2017; Platt, Advances in Large Margin
        Classifiers (1999) 61-74.
    """
    labelled = np.flatnonzero(label_indices >= 0)
    if labelled.size == 0:
        raise InputError("calibration needs labelled tiles in the validation split: label some")
    logarithms = _logarithms(probabilities[labelled])
    tiles, classes = logarithms.shape
    is_label = np.arange(classes) == label_indices[labelled][:, np.newaxis]
    all_right = (logarithms[is_label] > np.where(is_label, -np.inf, logarithms).max(axis=1)).all()
    wrong = 1 / (tiles + 2) if all_right else 0.0
    targets = np.where(is_label, 1 - wrong, wrong / max(1, classes - 1))

    def loss(log_temperature: float) -> float:
        scaled = log_softmax(logarithms / np.exp(log_temperature), axis=1)
        return -float((targets * scaled).sum(axis=1).mean())

    bounds = (float(np.log(LOWEST_TEMPERATURE)), float(np.log(HIGHEST_TEMPERATURE)))
    found = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-8})
    return float(np.exp(found.x))


def apply_temperature(probabilities: FloatArray, temperature: float) -> FloatArray:
    """Return ``softmax(ln(p) / T)``; keeps the order of the classes of each tile.

    Args:
        probabilities: Shape ``(N, K)``.
        temperature: Positive; 1 changes nothing.

    Returns:
        Float64, shape ``(N, K)``, rows sum to 1.

    Raises:
        ValueError: If the temperature is not a positive number.
    """
    if not (np.isfinite(temperature) and temperature > 0):
        raise ValueError(f"the temperature is {temperature}: it must be a positive number")
    return np.asarray(softmax(_logarithms(probabilities) / temperature, axis=1), np.float64)


@dataclass(frozen=True)
class ReliabilityBins:
    """Bins of equal width between 0 and 1, each field of shape ``(B,)``; NaN in an empty bin.

    Attributes:
        centre: Middle of the bin; never NaN.
        mean_confidence: Of the tiles in the bin.
        observed_frequency: Share of the tiles in the bin whose outcome is True.
        count: Tiles in the bin.
        ci_low: Lower bound of the observed frequency.
        ci_high: Upper bound of the observed frequency.
    """

    centre: FloatArray
    mean_confidence: FloatArray
    observed_frequency: FloatArray
    count: IntArray
    ci_low: FloatArray
    ci_high: FloatArray


def reliability_bins(
    outcomes: BoolArray,
    confidence: FloatArray,
    bins: int = CALIBRATION_BINS,
    interval_confidence: float = 0.95,
    clusters: IntArray | None = None,
) -> ReliabilityBins:
    """Sort tiles into the bins that the expected calibration error uses.

    Args:
        outcomes: True where what the confidence speaks of is so, shape ``(N,)``.
        confidence: Probability given to it, shape ``(N,)``.
        bins: Number of bins.
        interval_confidence: Of the intervals.
        clusters: Group of each tile, numbered from 0: whole groups are resampled, then. Wilson's
            intervals when None.
    """
    chosen = bin_of(confidence, bins)
    count = np.bincount(chosen, minlength=bins)
    hits = np.bincount(chosen, outcomes.astype(np.float64), bins)
    low, high = wilson(hits, count, interval_confidence)
    if clusters is not None:
        low, high = grouped_share_bounds(chosen, outcomes, bins, clusters, interval_confidence)
    return ReliabilityBins(
        centre=(np.arange(bins) + 0.5) / bins,
        mean_confidence=ratio(np.bincount(chosen, confidence, bins), count),
        observed_frequency=ratio(hits, count),
        count=count,
        ci_low=low,
        ci_high=high,
    )


def _logarithms(probabilities: FloatArray) -> FloatArray:
    return np.log(np.maximum(probabilities.astype(np.float64), SMALLEST_PROBABILITY))
