import numpy as np
import pytest
from scipy.stats import bootstrap

from histocli.metrics.bca import bca_interval


def resampled(values: np.ndarray, samples: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Bootstrap means and jackknife means."""
    rows = np.random.default_rng(seed).integers(len(values), size=(samples, len(values)))
    left_out = (values.sum() - values) / (len(values) - 1)
    return values[rows].mean(axis=1), left_out


@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_it_equals_scipy_with_the_tails_of_few_units(confidence: float) -> None:
    values = np.random.default_rng(0).exponential(size=40)
    replicates, left_out = resampled(values, 4000, 1)
    # So many units that the tails are not widened: scipy does not.
    found = bca_interval(replicates, values.mean(), left_out, 10**9, confidence)
    expected = bootstrap(
        (values,), np.mean, n_resamples=20_000, confidence_level=confidence, method="BCa", rng=2
    ).confidence_interval
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=0.01)
    assert found.low + found.high > 2 * values.mean()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"units": 19}, "fewer than 20 groups"),
        ({"point": 3.0}, "of the samples lie below"),
        ({"left_out": np.append(np.ones(39), np.nan)}, "undefined in some samples"),
        ({"left_out": np.append(np.ones(19), 0)}, "few units decide"),
        ({"left_out": np.ones(40)}, "few units decide"),
        ({"replicates": np.random.default_rng(0).normal(1, 0.1, size=60)}, "too few samples"),
    ],
    ids=["few units", "biased", "undefined", "one decides", "none decides", "few samples"],
)
def test_where_it_does_not_behave_it_says_why(change: dict[str, object], why: str) -> None:
    generator = np.random.default_rng(0)
    usable: dict[str, object] = {
        "replicates": generator.normal(1, 0.1, size=1000),
        "point": 1.0,
        "left_out": generator.normal(1, 0.01, size=40),
        "units": 40,
    }
    assert bca_interval(**usable).reason is None  # type: ignore[arg-type]
    found = bca_interval(**{**usable, **change})  # type: ignore[arg-type]
    assert np.isnan([found.low, found.high]).all()
    assert found.reason is not None
    assert why in found.reason
