import numpy as np
import pytest

from histocli.metrics.equal_mass import equal_mass_bins, equal_mass_calibration_error


def test_bins_hold_as_many_tiles_each() -> None:
    scores = np.random.default_rng(0).permutation(150) / 150
    assert np.bincount(equal_mass_bins(scores, 15)).tolist() == [10] * 15


def test_tiles_of_one_confidence_share_a_bin() -> None:
    scores = np.repeat([0.2, 0.8], [97, 3])
    codes = equal_mass_bins(scores, 10)
    assert len(set(codes[:97].tolist())) == 1
    assert codes[-1] > codes[0]


def test_it_is_the_weighted_mean_of_the_gaps() -> None:
    generator = np.random.default_rng(1)
    scores = generator.permutation(60) / 60
    truth = generator.random(60) < scores
    chunks = np.split(np.argsort(scores), 6)
    slow = np.mean([abs(scores[rows].mean() - truth[rows].mean()) for rows in chunks])
    assert equal_mass_calibration_error(truth, scores, bins=6) == pytest.approx(slow, abs=1e-12)


def test_honest_bins_have_none_and_certain_mistakes_all() -> None:
    truth = np.array([True, False, True, False])
    assert equal_mass_calibration_error(truth, np.full(4, 0.5)) == 0
    assert equal_mass_calibration_error(truth, (~truth).astype(float)) == 1
