from itertools import combinations

import numpy as np
import pytest
from scipy.stats import rankdata

from histocli.metrics.labelled import Labelled
from histocli.metrics.permutation import permutation_p_value, permutation_section
from tests.metrics.conftest import MakePredictions


def test_it_comes_near_the_share_of_all_orders() -> None:
    generator = np.random.default_rng(0)
    truth = np.arange(12) < 6
    scores = generator.normal(truth * 0.9, 1)
    ranks = rankdata(scores)
    sums = [ranks[list(rows)].sum() for rows in combinations(range(12), 6)]
    exact = np.mean(np.array(sums) >= ranks[truth].sum() - 1e-9)
    found = permutation_p_value(truth, scores, None, permutations=4000)
    assert found == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 4000) + 1e-3)


def test_the_least_it_can_be_is_one_in_all_shuffles() -> None:
    truth = np.arange(60) < 30
    assert permutation_p_value(truth, truth.astype(float), None, 99) == 0.01


def test_under_no_relation_it_is_small_as_often_as_it_says() -> None:
    generator = np.random.default_rng(1)
    small = [
        permutation_p_value(generator.random(30) < 0.5, generator.random(30), None, 99, seed) <= 0.1
        for seed in range(300)
    ]
    assert 0.05 < np.mean(small) < 0.16


def test_slides_that_resemble_themselves_do_not_count_as_many() -> None:
    """Score and label are the slide's: six slides cannot say more than their twenty orders."""
    truth = np.repeat(np.arange(6) < 3, 20)
    scores = np.repeat(np.arange(6)[::-1] / 6.0, 20)
    clusters = np.repeat(np.arange(6), 20)
    alone = permutation_p_value(truth, scores, None, 999)
    grouped = permutation_p_value(truth, scores, clusters, 999)
    assert alone == 0.001
    assert grouped == pytest.approx(1 / 20, abs=0.025)


def test_within_slides_of_both_classes_tiles_exchange_their_scores() -> None:
    truth = np.tile(np.arange(10) < 5, 4)
    clusters = np.repeat(np.arange(4), 10)
    assert permutation_p_value(truth, truth.astype(float), clusters, 199) == 1 / 200


def test_where_no_exchange_changes_anything_there_is_no_p_value() -> None:
    truth = np.array([True, False, False])
    assert np.isnan(permutation_p_value(truth, np.array([0.9, 0.2, 0.1]), np.array([0, 1, 1]), 99))
    assert np.isnan(permutation_p_value(np.ones(3, bool), np.arange(3.0), None, 99))
    assert permutation_p_value(truth, np.full(3, 0.5), None, 99) == 1


def test_each_class_that_is_shown_has_one(make_predictions: MakePredictions) -> None:
    tiles = Labelled.of(make_predictions(classes=("a", "b", "c")), "c")
    section = permutation_section(tiles, 0)
    assert list(section["p_value"]) == ["a", "b", "c"]
    assert all(value == 0.001 for value in section["p_value"].values())
