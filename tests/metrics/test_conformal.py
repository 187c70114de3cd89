import math

import numpy as np
import pytest

from histocli.metrics.conformal import conformal_limit, conformal_section, conformal_sets
from histocli.metrics.labelled import Labelled
from histocli.metrics.uncertainty import Uncertainty
from tests.metrics.conftest import MakePredictions


def drawn(
    generator: np.random.Generator, tiles: int, classes: int = 3
) -> tuple[np.ndarray, np.ndarray]:
    table = generator.dirichlet(np.full(classes, 0.7), tiles)
    labels = (table.cumsum(axis=1) < generator.random((tiles, 1))).sum(axis=1)
    return np.minimum(labels, classes - 1), table


def test_the_limit_is_the_rank_of_the_theorem() -> None:
    scores = np.arange(1, 20) / 20
    assert conformal_limit(scores, 0.9) == 18 / 20  # the 18th of 19
    assert conformal_limit(scores, 0.95) == 19 / 20
    assert conformal_limit(scores, 0.96) == math.inf


@pytest.mark.parametrize("coverage", [0.8, 0.9])
def test_new_tiles_are_covered_as_promised(coverage: float) -> None:
    generator = np.random.default_rng(0)
    reached = []
    for _ in range(300):
        labels, table = drawn(generator, 99)
        truth, others = drawn(generator, 100)
        sets = conformal_sets(labels, table, others, coverage)
        reached.append(sets[np.arange(100), truth].mean())
    # The theorem: at least the promise, at most 1 / (n + 1) more; the mean has an error of its own.
    error = 3 * np.std(reached) / math.sqrt(300)
    assert coverage - error < np.mean(reached) < coverage + 0.01 + error


def test_by_class_each_class_is_covered_as_promised() -> None:
    generator = np.random.default_rng(1)
    hits = np.zeros(2)
    counts = np.zeros(2)
    for _ in range(200):
        tables, truths = [], []
        for _ in range(2):
            truth = (generator.random(400) < 0.2).astype(np.int64)
            score = np.clip(generator.normal(0.25 + 0.3 * truth, 0.2), 0.001, 0.999)
            truths.append(truth)
            tables.append(np.stack([1 - score, score], axis=1))
        sets = conformal_sets(truths[0], tables[0], tables[1], 0.9, by_class=True)
        covered = sets[np.arange(400), truths[1]]
        hits += np.bincount(truths[1], covered, 2)
        counts += np.bincount(truths[1], minlength=2)
    assert (np.abs(hits / counts - 0.9) < 0.015).all()


def test_too_few_tiles_to_promise_anything_give_the_set_of_all() -> None:
    sets = conformal_sets(np.array([0]), np.array([[0.9, 0.1]]), np.array([[0.99, 0.01]]), 0.9)
    assert sets.all()


def test_the_section_counts_what_the_sets_hold(make_predictions: MakePredictions) -> None:
    groups = [f"slide {row % 8}" for row in range(80)]
    calibration = Labelled.of(make_predictions(seed=1), "tumor")
    judged = Labelled.of(make_predictions(seed=2, groups=groups), "tumor")
    section = conformal_section(calibration, judged, Uncertainty(samples=100))
    assert [(each["promised"], each["by_class"]) for each in section] == [
        (0.9, False),
        (0.9, True),
        (0.95, False),
        (0.95, True),
    ]
    first = section[0]
    sets = conformal_sets(calibration.labels, calibration.probabilities, judged.probabilities, 0.9)
    assert first["coverage"]["value"] == sets[np.arange(80), judged.labels].mean()
    assert first["mean_size"]["value"] == sets.sum(axis=1).mean()
    assert sum(first["share_by_size"]) == pytest.approx(1)
    assert sum(each["n"] for each in first["coverage_per_class"].values()) == 80
    assert "clustered" in first["coverage"]["method"]
