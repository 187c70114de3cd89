import numpy as np
import pytest

from histocli.metrics.predictive_values import logit_intervals, values_at_prevalence


def test_at_the_tiles_own_prevalence_they_are_the_plain_quotients() -> None:
    hits, missed, alarms, rejected = 30, 10, 5, 155
    found = values_at_prevalence(np.array(hits / 40), np.array(rejected / 160), 40 / 200)
    assert found[0] == pytest.approx(hits / (hits + alarms))
    assert found[1] == pytest.approx(rejected / (rejected + missed))


def test_they_are_undefined_where_nothing_is_called_so() -> None:
    positive, _ = values_at_prevalence(np.array(0.0), np.array(1.0), 0.1)
    _, negative = values_at_prevalence(np.array(1.0), np.array(0.0), 0.1)
    assert np.isnan(positive)
    assert np.isnan(negative)


def test_the_rarer_the_disease_the_lower_the_positive_predictive_value() -> None:
    shares = np.array([0.5, 0.1, 0.02, 0.001])
    values = [float(values_at_prevalence(np.array(0.9), np.array(0.9), p)[0]) for p in shares]
    assert values == sorted(values, reverse=True)
    assert values[0] == pytest.approx(0.9)


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    generator = np.random.default_rng(0)
    sensitivity, specificity, prevalence, positives, negatives = 0.8, 0.9, 0.05, 120, 200
    true = values_at_prevalence(np.array(sensitivity), np.array(specificity), prevalence)
    rounds = 2000
    covered = np.zeros(2)
    for _ in range(rounds):
        hits = generator.binomial(positives, sensitivity)
        rejected = generator.binomial(negatives, specificity)
        intervals = logit_intervals(hits, positives, rejected, negatives, prevalence)
        covered += [
            each.low <= value <= each.high for each, value in zip(intervals, true, strict=True)
        ]
    assert (covered / rounds > 0.93).all()
    assert (covered / rounds < 0.98).all()


@pytest.mark.parametrize(
    "cells", [(0, 10, 10, 10), (10, 10, 5, 10), (3, 10, 0, 10), (10, 10, 10, 10)]
)
def test_rates_of_nought_and_one_have_finite_intervals(cells: tuple[int, int, int, int]) -> None:
    for interval in logit_intervals(*cells, 0.1):
        assert 0 < interval.low < interval.high < 1


def test_without_a_class_there_is_no_interval() -> None:
    for interval in logit_intervals(0, 0, 5, 10, 0.1):
        assert np.isnan([interval.low, interval.high]).all()
        assert interval.reason
