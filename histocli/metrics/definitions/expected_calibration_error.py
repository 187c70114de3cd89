"""Expected calibration error over 15 bins of equal width."""

import numpy as np

from histocli.metrics.definitions.arrays import BoolArray, FloatArray, IntArray, ratio
from histocli.metrics.definitions.weights import Weights, weighted_sums, weighted_total

CALIBRATION_BINS = 15


def bin_of(confidence: FloatArray, bins: int = CALIBRATION_BINS) -> IntArray:
    """Index of the bin ``[b / bins, (b + 1) / bins)`` of each confidence; the last includes 1."""
    return np.clip((confidence * bins).astype(np.int64), 0, bins - 1)


def expected_calibration_error(
    outcomes: BoolArray,
    confidence: FloatArray,
    weights: Weights = None,
    bins: int = CALIBRATION_BINS,
) -> FloatArray:
    """Mean distance, over bins of equal width, between confidence and observed frequency.

    ``ECE = sum over bins of (n_b / n) * |mean confidence_b - observed frequency_b|``. It is biased
    upwards in small samples, and in resampled ones more so: its interval is a reflected one.

    Args:
        outcomes: True where what the confidence speaks of is so, shape ``(N,)``.
        confidence: Probability given to it, shape ``(N,)``.
        weights: How often each tile counts; once when None.
        bins: Number of bins between 0 and 1.

    Returns:
        Shape ``(...)``; NaN without tiles.

    Source:
        Naeini, Cooper and Hauskrecht, AAAI 2015, with bins of equal width.
    """
    excess = weighted_sums(bin_of(confidence, bins), confidence - outcomes, bins, weights)
    return ratio(np.abs(excess).sum(axis=-1), weighted_total(weights, len(confidence)))


def top_label_calibration_error(
    label_indices: IntArray, probabilities: FloatArray, weights: Weights = None
) -> FloatArray:
    """Expected calibration error of the most probable class: the headline of several classes.

    Args:
        label_indices: True class of each tile, shape ``(N,)``.
        probabilities: Shape ``(N, K)``.
        weights: How often each tile counts; once when None.

    Returns:
        Shape ``(...)``; NaN without tiles.

    Source:
        Guo et al., ICML 2017.
    """
    correct = probabilities.argmax(axis=1) == label_indices
    return expected_calibration_error(correct, probabilities.max(axis=1), weights)
