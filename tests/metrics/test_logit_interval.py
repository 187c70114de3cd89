import numpy as np
import pytest
from scipy.special import expit, logit
from scipy.stats import t

from histocli.metrics.logit_interval import logit_interval

REPLICATES = expit(np.random.default_rng(0).normal(2, 0.3, size=5000))


def test_the_reach_is_students_t_times_the_error_on_the_logit_scale() -> None:
    found = logit_interval(REPLICATES, 0.88, np.full(30, 0.88), 30)
    error = np.std(logit(REPLICATES)) * np.sqrt(30 / 29)
    reach = t.ppf(0.975, 29) * error
    assert logit(found.low) == pytest.approx(logit(0.88) - reach, abs=1e-12)
    assert logit(found.high) == pytest.approx(logit(0.88) + reach, abs=1e-12)


def test_a_group_that_decides_much_widens_it() -> None:
    left_out = np.append(np.full(29, 0.88), 0.6)
    found = logit_interval(REPLICATES, 0.88, left_out, 30)
    error = np.sqrt(29 / 30 * np.sum((logit(left_out) - logit(left_out).mean()) ** 2))
    assert logit(0.88) - logit(found.low) == pytest.approx(t.ppf(0.975, 29) * error, abs=1e-12)


@pytest.mark.parametrize("value", [0.0, 1.0, np.nan])
def test_what_has_no_logit_has_no_interval(value: float) -> None:
    for replicates, point, left_out in (
        (np.append(REPLICATES, value), 0.88, np.full(30, 0.88)),
        (REPLICATES, value, np.full(30, 0.88)),
        (REPLICATES, 0.88, np.append(np.full(29, 0.88), value)),
    ):
        found = logit_interval(replicates, point, left_out, 30)
        assert np.isnan([found.low, found.high]).all()
        assert found.reason


def test_one_group_has_no_interval() -> None:
    assert np.isnan(logit_interval(REPLICATES, 0.88, np.array([0.88]), 1).low)
