"""Expected calibration error over bins that hold as many tiles each."""

import numpy as np

from histocli.metrics.definitions.arrays import BoolArray, FloatArray, IntArray, ratio
from histocli.metrics.definitions.expected_calibration_error import CALIBRATION_BINS
from histocli.metrics.definitions.weights import Weights, weighted_sums, weighted_total


def equal_mass_bins(confidence: FloatArray, bins: int = CALIBRATION_BINS) -> IntArray:
    """Index of the bin of each confidence; tiles of one confidence share a bin, so bins may differ."""
    edges = np.unique(np.quantile(confidence, np.linspace(0, 1, bins + 1)[1:-1]))
    return np.searchsorted(edges, confidence, side="left").astype(np.int64)


def equal_mass_calibration_error(
    outcomes: BoolArray,
    confidence: FloatArray,
    weights: Weights = None,
    bins: int = CALIBRATION_BINS,
) -> FloatArray:
    """Mean distance, over bins of equal mass, between confidence and observed frequency.

    The bins are cut at the quantiles of the tiles counted once each, whatever the weights.

    Args:
        outcomes: True where what the confidence speaks of is so, shape ``(N,)``.
        confidence: Probability given to it, shape ``(N,)``.
        weights: How often each tile counts; once when None.
        bins: Number of bins.

    Returns:
        Shape ``(...)``; NaN without tiles.

    Source:
        Nguyen and O'Connor, EMNLP 2015 (adaptive binning); Nixon et al., CVPR workshops 2019.
    """
    codes = equal_mass_bins(confidence, bins)
    excess = weighted_sums(codes, confidence - outcomes, bins, weights)
    return ratio(np.abs(excess).sum(axis=-1), weighted_total(weights, len(confidence)))
