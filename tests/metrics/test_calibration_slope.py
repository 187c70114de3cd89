import numpy as np
import pytest
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from histocli.metrics.calibration_slope import (
    CLUSTERED_SANDWICH,
    SANDWICH,
    calibration_slope,
)
from histocli.metrics.logits import log_odds


def honest(tiles: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    odds = generator.normal(0, 1.5, tiles)
    return generator.random(tiles) < expit(odds), odds


def test_honest_probabilities_have_no_intercept_and_a_slope_of_one() -> None:
    truth, odds = honest(4000)
    found = calibration_slope(truth, expit(odds), None)
    for name, ideal in (("calibration_intercept", 0.0), ("calibration_slope", 1.0)):
        assert found[name]["ci_low"] < ideal < found[name]["ci_high"]
        assert found[name]["method"] == SANDWICH


def test_what_spoiled_the_probabilities_is_found() -> None:
    truth, odds = honest(20_000)
    too_sure = calibration_slope(truth, expit(2 * odds), None)
    assert too_sure["calibration_slope"]["value"] == pytest.approx(0.5, abs=0.03)
    too_high = calibration_slope(truth, expit(odds + 0.7), None)
    assert too_high["calibration_intercept"]["value"] == pytest.approx(-0.7, abs=0.06)


def test_the_slope_is_the_coefficient_of_scikit_learn() -> None:
    truth, odds = honest(500)
    scores = expit(1.7 * odds + 0.3)
    oracle = LogisticRegression(C=np.inf, tol=1e-12, max_iter=1000)
    oracle.fit(log_odds(scores)[:, np.newaxis], truth)
    found = calibration_slope(truth, scores, None)
    assert found["calibration_slope"]["value"] == pytest.approx(oracle.coef_[0, 0], rel=1e-5)


def test_the_interval_covers_one_as_often_as_it_says() -> None:
    covered = 0
    for seed in range(400):
        truth, odds = honest(300, seed)
        record = calibration_slope(truth, expit(odds), None)["calibration_slope"]
        covered += record["ci_low"] <= 1 <= record["ci_high"]
    assert 0.92 < covered / 400 < 0.98


def test_copies_in_one_group_say_nothing_new() -> None:
    truth, odds = honest(200)
    scores = expit(odds + 0.4)
    once = calibration_slope(truth, scores, None)["calibration_slope"]
    clusters = np.repeat(np.arange(200), 5)
    copied = calibration_slope(np.repeat(truth, 5), np.repeat(scores, 5), clusters)
    record = copied["calibration_slope"]
    assert record["method"] == CLUSTERED_SANDWICH
    assert record["value"] == pytest.approx(once["value"], rel=1e-6)
    assert record["ci_high"] - record["ci_low"] == pytest.approx(
        once["ci_high"] - once["ci_low"], rel=1e-4
    )
    low, high = record["ci_unclustered"]
    assert high - low < 0.6 * (record["ci_high"] - record["ci_low"])


def test_one_class_one_group_and_perfect_separation_are_undefined_with_a_reason() -> None:
    alone = calibration_slope(np.ones(5, bool), np.full(5, 0.7), None)
    apart = calibration_slope(np.arange(20) < 10, np.where(np.arange(20) < 10, 0.9, 0.1), None)
    truth, odds = honest(50)
    one_group = calibration_slope(truth, expit(odds), np.zeros(50, np.int64))
    for record in (*alone.values(), apart["calibration_slope"]):
        assert record["value"] is None
        assert record["reason"]
    assert one_group["calibration_slope"]["ci_low"] is None
    assert one_group["calibration_slope"]["reason"]


def test_rounding_makes_no_variance_negative_where_classes_are_all_but_separated() -> None:
    """Scores of a network that told four classes apart; a warning of NumPy's would be an error here."""
    odds = np.array([*(1.2 - 0.09 * np.arange(20)), *(-0.77 - 0.08 * np.arange(60))])
    for seed in range(50):
        shaken = odds + np.random.default_rng(seed).normal(0, 0.002, 80)
        for record in calibration_slope(np.arange(80) < 20, expit(shaken), None).values():
            low, high = record["ci_low"], record["ci_high"]
            assert low is None or low <= record["value"] <= high
