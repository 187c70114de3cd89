from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from histocli.metrics.definitions import METRICS, metrics_of
from histocli.metrics.definitions.evidence import Evidence
from histocli.metrics.significance.exchange import exchange_p_values

Make = Callable[..., Evidence]


def two_views(make: Make, tiles: int = 40, classes: int = 2) -> tuple[Evidence, Evidence]:
    """The same labels, seen by two runs."""
    first, second = make(1, tiles=tiles, classes=classes), make(2, tiles=tiles, classes=classes)
    return first, replace(second, label_indices=first.label_indices)


def exchanged(first: Evidence, second: Evidence, swap: np.ndarray) -> tuple[Evidence, Evidence]:
    """Copy rows from one table to the other, tile by tile."""
    tables = []
    for own, other in ((first, second), (second, first)):
        predicted, probabilities = own.predicted_indices.copy(), own.probabilities.copy()
        predicted[swap] = other.predicted_indices[swap]
        probabilities[swap] = other.probabilities[swap]
        tables.append(replace(own, predicted_indices=predicted, probabilities=probabilities))
    return tables[0], tables[1]


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("name", ["accuracy", "brier", "f1", "log_loss", "cohen_kappa"])
def test_it_equals_exchanging_the_rows(name: str, classes: int, make_evidence: Make) -> None:
    first, second = two_views(make_evidence, classes=classes)
    units = np.arange(40) // 4
    found = exchange_p_values(first, second, units, [name], 60, seed=3)[name]

    def difference(one: Evidence, other: Evidence) -> float:
        return float(METRICS[name].measure(one).overall - METRICS[name].measure(other).overall)

    observed = abs(difference(first, second))
    swaps = np.random.default_rng(3).random((60, 10)) < 0.5
    reached = sum(
        abs(difference(*exchanged(first, second, swap[units]))) >= observed - 1e-12
        for swap in swaps
    )
    assert found == pytest.approx((1 + reached) / 61)


def test_a_run_does_not_differ_from_itself(make_evidence: Make) -> None:
    run = make_evidence(4)
    found = exchange_p_values(run, run, np.arange(60), metrics_of(2), 50, seed=0)
    assert set(found.values()) == {1.0}


def test_only_the_order_of_scores_matters_to_what_ranks(make_evidence: Make) -> None:
    first, second = two_views(make_evidence)
    sharper = replace(second, probabilities=second.probabilities**3)
    names = ["auroc", "average_precision"]
    assert exchange_p_values(first, second, np.arange(40), names, 80, 1) == exchange_p_values(
        first, sharper, np.arange(40), names, 80, 1
    )


def test_one_group_cannot_be_tested(make_evidence: Make) -> None:
    first, second = two_views(make_evidence)
    found = exchange_p_values(first, second, np.zeros(40, np.int64), ["auroc"], 20, 0)
    assert np.isnan(found["auroc"])


def test_equal_runs_are_called_different_as_rarely_as_the_level_says() -> None:
    generator = np.random.default_rng(0)
    p_values = []
    for seed in range(60):
        labels = generator.integers(2, size=60)
        views = []
        for _ in range(2):
            score = 1 / (1 + np.exp(-(labels - 0.5 + generator.normal(size=60))))
            probabilities = np.stack([1 - score, score], axis=1)
            views.append(
                Evidence(labels, (score > 0.5).astype(np.int64), probabilities, 1, np.ones(60))
            )
        found = exchange_p_values(views[0], views[1], np.arange(60), ["auroc"], 19, seed)
        p_values.append(found["auroc"])
    # Binomial of 60 at 0.1: 6, give or take three standard deviations.
    assert 1 <= np.sum(np.array(p_values) <= 0.1) <= 13
