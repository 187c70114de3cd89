"""The Brier score taken apart: reliability, resolution and uncertainty."""

import numpy as np

from histocli.metrics.definitions.arrays import BoolArray, FloatArray, ratio
from histocli.metrics.definitions.expected_calibration_error import CALIBRATION_BINS, bin_of
from histocli.metrics.definitions.weights import Weights, weighted_sums, weighted_total


def murphy_decomposition(
    is_positive: BoolArray,
    scores: FloatArray,
    weights: Weights = None,
    bins: int = CALIBRATION_BINS,
) -> dict[str, FloatArray]:
    """Split the Brier score over bins of equal width; the parts add up exactly.

    ``Brier = reliability - resolution + uncertainty + within_bins``, with, over bins of n_b tiles,
    ``reliability = sum n_b (p_b - o_b)^2 / n``, ``resolution = sum n_b (o_b - o)^2 / n``,
    ``uncertainty = o (1 - o)``, and ``within_bins`` what the spread of the scores inside a bin adds: their
    variance less twice their covariance with the outcome.

    Args:
        is_positive: True for the tiles of the class, shape ``(N,)``.
        scores: Its probability, shape ``(N,)``.
        weights: How often each tile counts; once when None.
        bins: Number of bins between 0 and 1.

    Returns:
        ``reliability`` (0 is best), ``resolution`` (more is better), ``uncertainty`` (of the labels) and
        ``within_bins``, each of shape ``(...)``.

    Source:
        Murphy, Journal of Applied Meteorology 12 (1973) 595-600; the last part: Stephenson, Coelho and
        Jolliffe, Weather and Forecasting 23 (2008) 752-757.
    """
    outcomes = is_positive.astype(np.float64)
    codes = bin_of(scores, bins)
    total = weighted_total(weights, len(scores))
    count = weighted_sums(codes, None, bins, weights)
    sum_score = weighted_sums(codes, scores, bins, weights)
    sum_outcome = weighted_sums(codes, outcomes, bins, weights)
    sum_square = weighted_sums(codes, scores**2, bins, weights)
    sum_product = weighted_sums(codes, scores * outcomes, bins, weights)
    mean_outcome = ratio(sum_outcome.sum(axis=-1), total)
    reliability = np.nan_to_num(ratio((sum_score - sum_outcome) ** 2, count)).sum(axis=-1)
    gap = sum_outcome - count * mean_outcome[..., np.newaxis]
    resolution = np.nan_to_num(ratio(gap**2, count)).sum(axis=-1)
    variance = sum_square - np.nan_to_num(ratio(sum_score**2, count))
    covariance = sum_product - np.nan_to_num(ratio(sum_score * sum_outcome, count))
    return {
        "reliability": ratio(reliability, total),
        "resolution": ratio(resolution, total),
        "uncertainty": np.asarray(mean_outcome * (1 - mean_outcome), np.float64),
        "within_bins": ratio((variance - 2 * covariance).sum(axis=-1), total),
    }
