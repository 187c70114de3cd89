import numpy as np
import pytest
from scipy.stats import binomtest

from histocli.metrics.intervals import percentile_interval, wilson


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


@pytest.mark.parametrize("replicates", [[], [np.nan, np.nan], [np.nan, np.nan, 1.0]])
def test_too_few_samples_give_no_interval_and_a_reason(replicates: list[float]) -> None:
    interval = percentile_interval(np.array(replicates))
    assert np.isnan([interval.low, interval.high]).all()
    assert interval.reason
