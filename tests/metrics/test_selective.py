import numpy as np
import pytest

from histocli.metrics.labelled import Labelled
from histocli.metrics.selective import (
    area_under_risk_coverage,
    certainty,
    least_area,
    risk_coverage,
    selective_prediction,
)
from histocli.metrics.uncertainty import Uncertainty
from tests.metrics.conftest import MakePredictions


def test_the_area_is_the_mean_risk_over_the_tiles() -> None:
    generator = np.random.default_rng(0)
    wrong, certain = generator.random(50) < 0.3, generator.permutation(50) / 50
    slow = np.mean([wrong[certain >= limit].mean() for limit in certain])
    assert area_under_risk_coverage(wrong, certain) == pytest.approx(slow, abs=1e-12)


def test_tiles_of_one_certainty_are_kept_together() -> None:
    wrong, certain = np.array([True, False, False, True]), np.array([0.9, 0.9, 0.5, 0.5])
    coverage, risk = risk_coverage(wrong, certain)
    assert coverage.tolist() == [0.5, 1.0]
    assert risk.tolist() == [0.5, 0.5]
    order = [1, 0, 3, 2]
    assert area_under_risk_coverage(wrong[order], certain[order]) == 0.5


def test_weights_count_like_repeated_rows() -> None:
    generator = np.random.default_rng(1)
    wrong, certain = generator.random(40) < 0.3, generator.integers(0, 9, 40) / 9
    weights = generator.integers(0, 3, size=(6, 40)).astype(float)
    found = area_under_risk_coverage(wrong, certain, weights)
    for value, counts in zip(found, weights.astype(int), strict=True):
        repeated = area_under_risk_coverage(np.repeat(wrong, counts), np.repeat(certain, counts))
        assert value == pytest.approx(float(repeated), abs=1e-12)


def test_perfect_order_has_the_least_area_and_the_worst_the_greatest() -> None:
    wrong = np.arange(1000) < 200
    best = float(area_under_risk_coverage(wrong, np.arange(1000) / 1000))
    worst = float(area_under_risk_coverage(wrong, -np.arange(1000) / 1000))
    assert best == pytest.approx(float(least_area(np.array(0.2))), abs=2e-3)
    assert best < 0.2 < worst


def test_certainty_is_the_distance_from_the_threshold_on_its_own_side(
    make_predictions: MakePredictions,
) -> None:
    tiles = Labelled.of(make_predictions(), "tumor")
    found = certainty(tiles, 0.2)
    scores = tiles.probabilities[:, 1]
    slow = [(p - 0.2) / 0.8 if p >= 0.2 else (0.2 - p) / 0.2 for p in scores]
    np.testing.assert_allclose(found, slow)
    assert certainty(tiles, 0.0).max() <= 1
    assert np.isfinite(certainty(tiles, 1.0)).all()


@pytest.mark.parametrize("groups", [None, [f"slide {row % 9}" for row in range(200)]])
def test_referring_the_least_certain_lowers_the_error(
    groups: list[str] | None, make_predictions: MakePredictions
) -> None:
    predictions = make_predictions(tiles=200, groups=groups)
    section = selective_prediction(Labelled.of(predictions, "tumor"), 0.5, Uncertainty(samples=100))
    accuracies = [row["metrics"]["accuracy"]["value"] for row in section["referred"]]
    assert accuracies[-1] > accuracies[0]
    assert [row["kept"] for row in section["referred"]] == [200, 190, 180, 160, 140, 100]
    area = section["area_under_risk_coverage"]
    assert area["ci_low"] <= area["value"] <= area["ci_high"]
    assert section["curve"]["coverage"][-1] == 1.0
    assert section["curve"]["risk"][-1] == pytest.approx(1 - accuracies[0])


def test_a_thousand_levels_say_what_all_do() -> None:
    generator = np.random.default_rng(4)
    certain = generator.random(20_000)
    wrong = generator.random(20_000) < 0.4 * (1 - certain)
    exact = float(area_under_risk_coverage(wrong, certain))
    assert float(area_under_risk_coverage(wrong, certain, None, 1000)) == pytest.approx(
        exact, abs=2e-4
    )
    few = generator.integers(0, 5, 100) / 5
    assert area_under_risk_coverage(wrong[:100], few, None, 1000) == area_under_risk_coverage(
        wrong[:100], few
    )
