import json

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from histocli.errors import InputError
from histocli.metrics.calibration import apply_temperature
from histocli.metrics.calibrators import CALIBRATORS, calibrate, fit_calibration
from histocli.metrics.definitions.log_loss import log_loss
from histocli.metrics.logits import log_odds


def spoiled(classes: int, seed: int = 0, tiles: int = 1500) -> tuple[np.ndarray, np.ndarray]:
    """Labels drawn from honest probabilities, and those made too sure and shifted to one class."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(size=(tiles, classes)) * 1.5
    honest = softmax(logits, axis=1)
    labels = (honest.cumsum(axis=1) < generator.random((tiles, 1))).sum(axis=1)
    return softmax(2.5 * logits + 0.8 * np.arange(classes), axis=1), labels


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("method", CALIBRATORS)
def test_every_way_lowers_the_log_loss_of_new_tiles_and_survives_json(
    method: str, classes: int
) -> None:
    probabilities, labels = spoiled(classes)
    stored = json.loads(json.dumps(fit_calibration(method, probabilities, labels)))
    assert stored["method"] == method
    others, truth = spoiled(classes, seed=1)
    calibrated = calibrate(others, stored)
    assert calibrated is not None
    np.testing.assert_allclose(calibrated.sum(axis=1), 1, rtol=0, atol=1e-12)
    assert (calibrated > 0).all()
    assert log_loss(truth, calibrated) < 0.95 * log_loss(truth, others)


@pytest.mark.parametrize("method", CALIBRATORS)
def test_unlabelled_tiles_are_left_out_of_the_fit(method: str) -> None:
    probabilities, labels = spoiled(3, tiles=400)
    some = np.where(np.arange(400) < 250, labels, -1)
    assert fit_calibration(method, probabilities, some) == fit_calibration(
        method, probabilities[:250], labels[:250]
    )


def test_platt_is_the_logistic_regression_of_scikit_learn_on_platts_targets() -> None:
    probabilities, labels = spoiled(2)
    stored = fit_calibration("platt", probabilities, labels)
    positives = int((labels == 1).sum())
    target = np.where(
        labels == 1, (positives + 1) / (positives + 2), 1 / (len(labels) - positives + 2)
    )
    # A target between 0 and 1 is two weighted rows.
    features = np.tile(log_odds(probabilities[:, 1]), 2)[:, np.newaxis]
    outcome = np.repeat([1, 0], len(labels))
    weights = np.concatenate([target, 1 - target])
    oracle = LogisticRegression(C=np.inf, tol=1e-12, max_iter=1000).fit(features, outcome, weights)
    assert stored["slopes"][1] == pytest.approx(oracle.coef_[0, 0], rel=1e-4)
    assert stored["intercepts"][1] == pytest.approx(oracle.intercept_[0], rel=1e-4)
    # The other class is the same curve, turned.
    assert stored["slopes"][0] == pytest.approx(stored["slopes"][1], rel=1e-6)
    assert stored["intercepts"][0] == pytest.approx(-stored["intercepts"][1], rel=1e-6)


def test_isotonic_is_that_of_scikit_learn_kept_from_the_ends() -> None:
    probabilities, labels = spoiled(2, tiles=300)
    calibrated = calibrate(probabilities, fit_calibration("isotonic", probabilities, labels))
    assert calibrated is not None
    oracle = IsotonicRegression(out_of_bounds="clip").fit(probabilities[:, 1], labels == 1)
    expected = np.clip(oracle.predict(probabilities[:, 1]), 1 / 302, 1 - 1 / 302)
    np.testing.assert_allclose(calibrated[:, 1], expected, rtol=0, atol=1e-9)


def test_perfect_separation_stays_finite() -> None:
    probabilities = np.array([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0], [0.2, 0.8]])
    labels = np.array([0, 0, 1, 1])
    for method in CALIBRATORS:
        calibrated = calibrate(probabilities, fit_calibration(method, probabilities, labels))
        assert calibrated is not None
        assert np.isfinite(calibrated).all()
        assert (calibrated.argmax(axis=1) == labels).all()


def test_a_class_without_validation_tiles_stays_possible() -> None:
    probabilities, labels = spoiled(3, tiles=200)
    labels = np.where(labels == 2, 0, labels)
    for method in CALIBRATORS:
        calibrated = calibrate(probabilities, fit_calibration(method, probabilities, labels))
        assert calibrated is not None
        assert (calibrated > 0).all()


def test_a_run_of_the_first_version_has_a_temperature_alone() -> None:
    probabilities, _ = spoiled(2, tiles=20)
    found = calibrate(probabilities, {"temperature": 2.0, "fitted_on": "valid"})
    assert found is not None
    np.testing.assert_array_equal(found, apply_temperature(probabilities, 2.0))


def test_no_calibration_stores_nothing_and_changes_nothing() -> None:
    probabilities, labels = spoiled(2, tiles=20)
    assert fit_calibration("none", probabilities, labels) == {}
    assert calibrate(probabilities, {}) is None


def test_what_is_unknown_or_unlabelled_is_refused_with_advice() -> None:
    with pytest.raises(InputError, match="update histo"):
        calibrate(np.array([[0.5, 0.5]]), {"method": "beta"})
    with pytest.raises(InputError, match="label some"):
        fit_calibration("platt", np.array([[0.5, 0.5]]), np.array([-1]))
