import json
from pathlib import Path

import numpy as np
import pytest

from histocli.metrics.decision_curve import (
    THRESHOLDS,
    decision_curves,
    moved_to_prevalence,
    net_benefit,
    treat_all,
)
from histocli.metrics.labelled import Labelled
from histocli.metrics.uncertainty import Uncertainty
from tests.metrics.conftest import MakePredictions

FIXTURE = json.loads((Path(__file__).parent / "fixtures" / "dcurves.json").read_text())


def slow_net_benefit(
    is_positive: np.ndarray, scores: np.ndarray, threshold: float, prevalence: float | None
) -> float:
    called = scores >= threshold
    odds = threshold / (1 - threshold)
    if prevalence is None:
        return float(
            ((called & is_positive).sum() - (called & ~is_positive).sum() * odds) / len(scores)
        )
    sensitivity, alarms = called[is_positive].mean(), called[~is_positive].mean()
    return float(sensitivity * prevalence - alarms * (1 - prevalence) * odds)


@pytest.mark.parametrize("prevalence", [None, 0.05, 0.5])
def test_it_is_the_count_of_true_less_the_exchanged_false(prevalence: float | None) -> None:
    generator = np.random.default_rng(1)
    truth = generator.random(300) < 0.3
    scores = np.round(np.clip(generator.normal(0.3 + 0.3 * truth, 0.2), 0, 1), 2).astype(np.float64)
    found = net_benefit(truth, scores, THRESHOLDS, prevalence)
    slow = [slow_net_benefit(truth, scores, threshold, prevalence) for threshold in THRESHOLDS]
    np.testing.assert_allclose(found, slow, rtol=0, atol=1e-12)


@pytest.mark.parametrize("case", FIXTURE["cases"], ids=lambda case: str(case["prevalence"]))
def test_it_agrees_with_dcurves(case: dict[str, list[float]]) -> None:
    truth, scores = np.array(FIXTURE["outcome"], bool), np.array(FIXTURE["score"])
    thresholds = np.array(FIXTURE["thresholds"])
    prevalence = case["prevalence"] if isinstance(case["prevalence"], float) else None
    found = net_benefit(truth, scores, thresholds, prevalence)
    np.testing.assert_allclose(found, case["model"], rtol=0, atol=1e-12)
    share = float(truth.mean()) if prevalence is None else prevalence
    np.testing.assert_allclose(treat_all(thresholds, share), case["all"], rtol=0, atol=1e-12)


def test_weights_count_like_repeated_rows() -> None:
    generator = np.random.default_rng(2)
    truth, scores = generator.random(40) < 0.5, generator.random(40)
    weights = generator.integers(0, 3, size=(5, 40)).astype(float)
    found = net_benefit(truth, scores, THRESHOLDS, weights=weights)
    for row, counts in zip(found, weights.astype(int), strict=True):
        repeated = net_benefit(np.repeat(truth, counts), np.repeat(scores, counts), THRESHOLDS)
        np.testing.assert_allclose(row, repeated, rtol=0, atol=1e-12)


def test_a_model_that_calls_everything_positive_is_worth_treating_all() -> None:
    truth = np.arange(10) < 3
    found = net_benefit(truth, np.ones(10), THRESHOLDS)
    np.testing.assert_allclose(found, treat_all(THRESHOLDS, 0.3), atol=1e-12)


def test_a_perfect_model_is_worth_the_prevalence_everywhere() -> None:
    truth = np.arange(10) < 3
    np.testing.assert_allclose(net_benefit(truth, truth.astype(float), THRESHOLDS), 0.3)


def test_at_another_prevalence_it_needs_both_classes() -> None:
    assert np.isnan(net_benefit(np.ones(4, bool), np.full(4, 0.7), THRESHOLDS, 0.1)).all()
    alone = net_benefit(np.ones(4, bool), np.full(4, 0.7), THRESHOLDS)
    np.testing.assert_allclose(alone, (THRESHOLDS <= 0.7).astype(float))


def test_probabilities_move_with_the_odds_of_the_prevalence() -> None:
    generator = np.random.default_rng(3)
    scores = generator.random(20)
    np.testing.assert_allclose(moved_to_prevalence(scores, 0.3, 0.3), scores, rtol=1e-12)
    rarer = moved_to_prevalence(scores, 0.5, 0.02)
    np.testing.assert_allclose(moved_to_prevalence(rarer, 0.02, 0.5), scores, rtol=1e-9)
    # A score that only repeats the prevalence repeats the new one.
    assert moved_to_prevalence(np.array([0.5]), 0.5, 0.02) == pytest.approx(0.02)


def test_a_moved_model_is_not_worse_than_none_where_the_disease_is_rare(
    make_predictions: MakePredictions,
) -> None:
    tiles = Labelled.of(make_predictions(tiles=400), "tumor")
    section = decision_curves(tiles, tiles, 0.05, Uncertainty(samples=100))
    curve = section["curves"]["tumor"]
    assert curve["prevalence"] == 0.05
    assert curve["moved_from_prevalence"] == pytest.approx(tiles.is_class(1).mean())
    assert max(curve["model"][4:]) > 0


@pytest.mark.parametrize("classes", [("normal", "tumor"), ("a", "b", "c")])
def test_the_band_holds_the_curve_and_says_where_it_is_best(
    classes: tuple[str, ...], make_predictions: MakePredictions
) -> None:
    predictions = make_predictions(classes=classes, calibrated=True, tiles=200)
    section = decision_curves(
        Labelled.of(predictions, classes[-1]), None, None, Uncertainty(samples=200)
    )
    assert section["probabilities"] == "calibrated"
    assert list(section["curves"]) == ([classes[-1]] if len(classes) == 2 else list(classes))
    for curve in section["curves"].values():
        model, low, high = (np.array(curve[name]) for name in ("model", "model_low", "model_high"))
        assert (low <= model + 1e-9).mean() > 0.95
        assert (model <= high + 1e-9).mean() > 0.95
        better = model > np.maximum(curve["treat_all"], 0) + 1e-12
        inside = np.zeros(len(model), bool)
        for start, end in curve["better_than_both"]:
            inside |= (start <= THRESHOLDS) & (end >= THRESHOLDS)
        assert (inside == better).all()
