import numpy as np
import pytest
from scipy.special import log_softmax, softmax
from scipy.stats import binomtest

from histocli.errors import InputError
from histocli.metrics.calibration import (
    HIGHEST_TEMPERATURE,
    LOWEST_TEMPERATURE,
    apply_temperature,
    fit_temperature,
    reliability_bins,
)
from histocli.metrics.definitions.log_loss import log_loss


def sharpened(temperature: float, classes: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Labels drawn from honest probabilities, and those probabilities made too sure."""
    generator = np.random.default_rng(0)
    logits = generator.normal(size=(4000, classes)) * 2
    honest = softmax(logits, axis=1)
    labels = (honest.cumsum(axis=1) < generator.random((4000, 1))).sum(axis=1)
    return softmax(logits * temperature, axis=1), labels


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("classes", [2, 3])
def test_the_temperature_that_spoiled_the_probabilities_is_found(
    temperature: float, classes: int
) -> None:
    probabilities, labels = sharpened(temperature, classes)
    assert fit_temperature(probabilities, labels) == pytest.approx(temperature, rel=0.06)


def test_no_other_temperature_has_a_smaller_log_loss() -> None:
    probabilities, labels = sharpened(2.0)
    best = fit_temperature(probabilities, labels)

    def loss(temperature: float) -> float:
        return float(log_loss(labels, apply_temperature(probabilities, temperature)))

    assert loss(best) <= min(loss(best * factor) for factor in np.geomspace(0.2, 5, 101)) + 1e-12
    assert loss(best) < loss(1.0)


def test_the_fit_is_deterministic() -> None:
    probabilities, labels = sharpened(2.0)
    assert fit_temperature(probabilities, labels) == fit_temperature(probabilities, labels)


def test_unlabelled_tiles_are_left_out_of_the_fit() -> None:
    probabilities, labels = sharpened(2.0)
    some = np.where(np.arange(4000) < 2000, labels, -1)
    assert fit_temperature(probabilities, some) == fit_temperature(
        probabilities[:2000], labels[:2000]
    )


def test_where_all_tiles_are_right_one_of_n_plus_two_counts_as_wrong() -> None:
    """Else every probability would become 0 or 1, and one wrong tile of the test split cost endlessly."""
    sure = np.array([[0.9, 0.1], [0.1, 0.9]])
    labels = np.array([0, 1])
    temperature = fit_temperature(sure, labels)
    assert temperature == pytest.approx(np.log(9) / np.log(3), rel=1e-6)
    np.testing.assert_allclose(apply_temperature(sure, temperature).max(axis=1), 3 / 4, rtol=1e-6)
    many = fit_temperature(np.tile(sure, (500, 1)), np.tile(labels, 500))
    np.testing.assert_allclose(apply_temperature(sure, many).max(axis=1), 1001 / 1002, rtol=1e-6)


def test_hopeless_predictions_stay_within_the_bounds() -> None:
    sure = np.array([[0.9, 0.1], [0.1, 0.9]])
    assert fit_temperature(sure, np.array([1, 0])) == pytest.approx(HIGHEST_TEMPERATURE, rel=1e-3)


def test_probabilities_of_zero_are_survived() -> None:
    certain = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    temperature = fit_temperature(certain, np.array([0, 1, 1]))
    assert np.isfinite(apply_temperature(certain, temperature)).all()
    assert LOWEST_TEMPERATURE <= temperature <= HIGHEST_TEMPERATURE


def test_without_labels_the_fit_says_what_to_do() -> None:
    with pytest.raises(InputError, match="label"):
        fit_temperature(np.full((2, 2), 0.5), np.array([-1, -1]))


@pytest.mark.parametrize("temperature", [0.05, 0.7, 1.0, 4.0, 20.0])
def test_applied_temperatures_divide_the_logarithms(temperature: float) -> None:
    probabilities, _ = sharpened(1.0)
    calibrated = apply_temperature(probabilities, temperature)
    expected = log_softmax(np.log(probabilities) / temperature, axis=1)
    np.testing.assert_allclose(calibrated, np.exp(expected), rtol=1e-12, atol=1e-300)
    np.testing.assert_allclose(calibrated.sum(axis=1), 1, rtol=0, atol=1e-12)
    assert (calibrated.argmax(axis=1) == probabilities.argmax(axis=1)).all()


def test_single_precision_is_calibrated_in_double() -> None:
    calibrated = apply_temperature(np.array([[0.25, 0.75]], np.float32), 1.0)
    assert calibrated.dtype == np.float64
    np.testing.assert_allclose(calibrated, [[0.25, 0.75]], rtol=1e-12)


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan"), float("inf")])
def test_a_temperature_must_be_positive(temperature: float) -> None:
    with pytest.raises(ValueError, match="positive"):
        apply_temperature(np.array([[0.5, 0.5]]), temperature)


def test_bins_count_average_and_bound_their_tiles() -> None:
    confidence = np.array([0.05, 0.15, 0.6, 0.7, 1.0])
    outcomes = np.array([False, True, True, False, True])
    bins = reliability_bins(outcomes, confidence, bins=2)
    assert bins.centre.tolist() == [0.25, 0.75]
    assert bins.count.tolist() == [2, 3]
    np.testing.assert_allclose(bins.mean_confidence, [0.1, 2.3 / 3])
    np.testing.assert_allclose(bins.observed_frequency, [1 / 2, 2 / 3])
    expected = binomtest(2, 3).proportion_ci(method="wilson")
    assert (bins.ci_low[1], bins.ci_high[1]) == pytest.approx((expected.low, expected.high))


def test_bins_of_tiles_in_groups_have_wider_bounds() -> None:
    generator = np.random.default_rng(6)
    confidence = np.repeat(generator.random(40), 10)
    outcomes, clusters = generator.random(40).repeat(10) < confidence, np.repeat(np.arange(40), 10)
    alone, grouped = (
        reliability_bins(outcomes, confidence, 3, 0.95, each) for each in (None, clusters)
    )
    assert (grouped.ci_high - grouped.ci_low > 2 * (alone.ci_high - alone.ci_low)).all()
    assert (grouped.observed_frequency == alone.observed_frequency).all()


def test_empty_bins_are_nan_and_keep_their_place() -> None:
    bins = reliability_bins(np.array([True]), np.array([0.99]))
    assert bins.count.tolist() == [0] * 14 + [1]
    for field in (bins.mean_confidence, bins.observed_frequency, bins.ci_low, bins.ci_high):
        assert np.isnan(field[:14]).all()
        assert np.isfinite(field[14])
