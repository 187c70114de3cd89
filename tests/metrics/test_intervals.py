import numpy as np
import pytest
from scipy.stats import binom, binomtest, norm
from statsmodels.stats.proportion import proportion_confint

from histocli.metrics.intervals import (
    UNDEFINED,
    Interval,
    ProportionInterval,
    clopper_pearson,
    percentile_interval,
    reflected_interval,
    tail_of,
    wilson,
)


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_equals_the_published_examples_of_newcombe_1998(
    successes: int, trials: int, low: float, high: float
) -> None:
    np.testing.assert_allclose(wilson(successes, trials), [low, high], rtol=0, atol=5e-5)


@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.95, 0.999])
@pytest.mark.parametrize("trials", [1, 2, 7, 100, 32768])
def test_wilson_equals_scipy(trials: int, confidence: float) -> None:
    for successes in {0, 1, trials // 3, trials - 1, trials}:
        expected = binomtest(successes, trials).proportion_ci(confidence, method="wilson")
        np.testing.assert_allclose(
            wilson(successes, trials, confidence),
            [expected.low, expected.high],
            rtol=0,
            atol=1e-12,
        )


def test_wilson_takes_arrays_and_is_nan_without_trials() -> None:
    low, high = wilson([0, 3, 5], [0, 5, 5])
    assert np.isnan([low[0], high[0]]).all()
    assert high[2] == 1
    assert low[1] < 0.6 < high[1]


def test_percentiles_cut_equal_tails() -> None:
    interval = percentile_interval(np.linspace(0, 1, 1001), 0.9)
    assert [interval.low, interval.high] == pytest.approx([0.05, 0.95])
    assert interval.reason is None


def test_samples_left_out_are_counted_in_the_reason() -> None:
    interval = percentile_interval(np.array([np.nan, 1.0, 2.0, 3.0]))
    assert interval.low >= 1
    assert interval.reason is not None
    assert "1 of 4" in interval.reason


@pytest.mark.parametrize(
    ("point", "high", "expected"),
    [(0.10, 0.16, (0.04, 0.16)), (0.10, 0.25, (0.0, 0.25)), (0.10, 0.09, (0.10, 0.10))],
    ids=["as far below as above", "not below zero", "the estimate is held"],
)
def test_what_chance_enlarges_reaches_as_far_below_as_the_percentiles_do_above(
    point: float, high: float, expected: tuple[float, float]
) -> None:
    found = reflected_interval(point, Interval(0.12, high))
    assert (found.low, found.high) == pytest.approx(expected)


def test_without_percentiles_nothing_is_reflected() -> None:
    found = reflected_interval(0.1, Interval(UNDEFINED, UNDEFINED, "one group only"))
    assert np.isnan([found.low, found.high]).all()
    assert found.reason == "one group only"


@pytest.mark.parametrize("replicates", [[], [np.nan, np.nan], [np.nan, np.nan, 1.0]])
def test_too_few_samples_give_no_interval_and_a_reason(replicates: list[float]) -> None:
    interval = percentile_interval(np.array(replicates))
    assert np.isnan([interval.low, interval.high]).all()
    assert interval.reason


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [
        (81, 263, 0.2527, 0.3676),
        (15, 148, 0.0578, 0.1617),
        (0, 20, 0.0000, 0.1684),
        (1, 29, 0.0009, 0.1776),
    ],
)
def test_clopper_pearson_equals_the_published_examples_of_newcombe_1998(
    successes: int, trials: int, low: float, high: float
) -> None:
    np.testing.assert_allclose(clopper_pearson(successes, trials), [low, high], rtol=0, atol=5e-5)


@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.999])
@pytest.mark.parametrize("trials", [1, 2, 7, 100, 32768])
@pytest.mark.parametrize(
    ("function", "name"), [(wilson, "wilson"), (clopper_pearson, "beta")], ids=["wilson", "exact"]
)
def test_proportions_equal_statsmodels(
    function: ProportionInterval, name: str, trials: int, confidence: float
) -> None:
    for successes in {0, 1, trials // 3, trials - 1, trials}:
        expected = proportion_confint(successes, trials, alpha=1 - confidence, method=name)
        found = function(successes, trials, confidence)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


def test_the_exact_interval_never_covers_less_than_it_says() -> None:
    trials = 23
    low, high = clopper_pearson(np.arange(trials + 1), np.full(trials + 1, trials))
    for share in np.linspace(0.001, 0.999, 331):
        held = (low <= share) & (share <= high)
        assert binom.pmf(np.arange(trials + 1), trials, share)[held].sum() >= 0.95 - 1e-12


def test_few_units_are_given_wider_tails() -> None:
    assert tail_of(0.95) == pytest.approx(0.025)
    assert tail_of(0.95, 10**7) == pytest.approx(0.025, rel=1e-5)
    # Student's 2.5 % quantile with 9 degrees of freedom is 2.2622.
    assert tail_of(0.95, 10) == pytest.approx(norm.cdf(-2.262157 * np.sqrt(10 / 9)), rel=1e-6)
