import numpy as np
import pytest

from histocli.metrics.calibration import reliability_bins
from histocli.metrics.definitions.expected_calibration_error import (
    CALIBRATION_BINS,
    bin_of,
    expected_calibration_error,
)


def test_bins_hold_their_lower_edge_and_the_last_holds_one() -> None:
    edges = np.array([0.0, 0.25, 0.4999, 0.5, 0.75, 1.0])
    assert bin_of(edges, 4).tolist() == [0, 1, 1, 2, 3, 3]


def test_rounding_above_one_stays_in_the_last_bin() -> None:
    assert bin_of(np.array([1 + 1e-9])).tolist() == [CALIBRATION_BINS - 1]


def test_a_worked_example() -> None:
    # Two tiles at 0.9 of which one is right, two at 0.1 of which none is: (2*0.4 + 2*0.1) / 4.
    outcomes = np.array([True, False, False, False])
    confidence = np.array([0.9, 0.9, 0.1, 0.1])
    assert expected_calibration_error(outcomes, confidence) == pytest.approx(0.25)


def test_it_is_the_mean_gap_of_the_reliability_diagram() -> None:
    generator = np.random.default_rng(0)
    confidence = generator.random(300)
    outcomes = generator.random(300) < confidence**2
    bins = reliability_bins(outcomes, confidence)
    gaps = np.abs(bins.mean_confidence - bins.observed_frequency) * bins.count
    assert expected_calibration_error(outcomes, confidence) == pytest.approx(
        np.nansum(gaps) / 300, abs=1e-12
    )
