"""DeLong against R's pROC: outputs recorded by fixtures/proc.R."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm

from histocli.metrics.definitions.auroc import ranked_auroc
from histocli.metrics.definitions.delong import delong_influence
from histocli.metrics.definitions.ranking import Ranking
from histocli.metrics.delong import delong_interval, delong_test, delong_variance

CASES = json.loads((Path(__file__).parent / "fixtures" / "proc.json").read_text())["cases"]


def area_and_influence(labels: np.ndarray, scores: np.ndarray) -> tuple[float, np.ndarray]:
    ranking = Ranking.of(labels == 1, scores)
    return float(ranked_auroc(ranking)), delong_influence(ranking, len(labels))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_areas_variances_intervals_and_tests_equal_proc(case: dict[str, Any]) -> None:
    labels = np.array(case["labels"])
    both = [area_and_influence(labels, np.array(case[key])) for key in ("first", "second")]
    for index, (area, influence) in enumerate(both):
        assert area == pytest.approx(case["auc"][index], abs=1e-12)
        assert delong_variance(influence) == pytest.approx(case["variance"][index], rel=1e-9)
        for level in (95, 80):
            found = delong_interval(area, influence, level / 100, on_logit=False)
            low, _, high = case[f"interval_{level}"][index]
            assert (found.low, found.high) == pytest.approx((low, high), abs=1e-9)
    assert np.dot(both[0][1], both[1][1]) == pytest.approx(case["covariance"], rel=1e-9)
    test = delong_test(both[0], both[1])
    assert test.z == pytest.approx(case["z"], rel=1e-9)
    assert test.p_value == pytest.approx(case["p_value"], rel=1e-8)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_on_the_logit_scale_it_reaches_as_far_as_the_variance_of_proc_says(
    case: dict[str, Any],
) -> None:
    labels = np.array(case["labels"])
    for index, key in enumerate(("first", "second")):
        area, variance = case["auc"][index], case["variance"][index]
        found = delong_interval(*area_and_influence(labels, np.array(case[key])))
        reach = norm.ppf(0.975) * np.sqrt(variance) / (area * (1 - area))
        odds = area / (1 - area) * np.exp([-reach, reach])
        assert [found.low, found.high] == pytest.approx((odds / (1 + odds)).tolist(), abs=1e-9)


def slow_components(labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """The definition: shares of pairs won, tile by tile."""
    positives, negatives = scores[labels == 1], scores[labels == 0]
    wins = (positives[:, None] > negatives) + (positives[:, None] == negatives) / 2
    m, n = wins.shape
    components = np.empty(len(labels))
    components[labels == 1] = (wins.mean(axis=1) - wins.mean()) / np.sqrt(m * (m - 1))
    components[labels == 0] = (wins.mean(axis=0) - wins.mean()) / np.sqrt(n * (n - 1))
    return components


def test_contributions_equal_the_definition_with_many_ties() -> None:
    generator = np.random.default_rng(1)
    labels, scores = generator.integers(2, size=80), generator.integers(6, size=80) / 5
    _, influence = area_and_influence(labels, scores)
    np.testing.assert_allclose(influence, slow_components(labels, scores), rtol=0, atol=1e-14)


def test_groups_of_one_tile_change_only_the_small_sample_factor() -> None:
    generator = np.random.default_rng(2)
    labels, scores = generator.integers(2, size=50), generator.random(50)
    _, influence = area_and_influence(labels, scores)
    grouped = delong_variance(influence, np.arange(50))
    assert grouped == pytest.approx(delong_variance(influence) * 50 / 49, rel=1e-12)


def test_copies_of_a_tile_in_one_group_tell_nothing_new() -> None:
    generator = np.random.default_rng(3)
    labels, scores = generator.integers(2, size=200), generator.random(200)
    _, alone = area_and_influence(labels, scores)
    _, copied = area_and_influence(np.repeat(labels, 10), np.repeat(scores, 10))
    grouped = delong_variance(copied, np.repeat(np.arange(200), 10))
    assert grouped == pytest.approx(delong_variance(alone), rel=0.02)
    assert delong_variance(copied) < grouped / 9


def test_a_run_does_not_differ_from_itself() -> None:
    same = area_and_influence(np.array([0, 1, 0, 1]), np.array([0.1, 0.4, 0.5, 0.9]))
    test = delong_test(same, same)
    assert (test.difference, test.p_value) == (0, 1)


@pytest.mark.parametrize("labels", [[0, 0, 1], [0, 1, 1], [1, 1, 1]])
def test_one_tile_on_a_side_has_no_variance(labels: list[int]) -> None:
    area, influence = area_and_influence(np.array(labels), np.array([0.2, 0.3, 0.7]))
    interval = delong_interval(area, influence)
    assert np.isnan(interval.low)
    assert interval.reason
