import numpy as np
import pytest
from scipy.stats import bootstrap

from histocli.metrics.definitions.weights import Weights, mean_under
from histocli.metrics.intervals import Interval, tail_of
from histocli.metrics.uncertainty import Statistics, Uncertainty, record_of


def mean_of(values: np.ndarray) -> Statistics:
    def statistics(weights: Weights) -> dict[str, np.ndarray]:
        return {"mean": mean_under(values, weights)}

    return statistics


def test_the_interval_of_a_mean_is_as_wide_as_its_standard_error() -> None:
    values = np.random.default_rng(0).normal(size=400)
    record = Uncertainty(samples=2000).records(mean_of(values), np.zeros(400, np.int64), None)[
        "mean"
    ]
    assert record["value"] == pytest.approx(values.mean())
    width = 2 * 1.96 * values.std() / 20
    assert record["ci_high"] - record["ci_low"] == pytest.approx(width, rel=0.08)


@pytest.mark.parametrize("clusters", [None, np.repeat(np.arange(60), 5)], ids=["tiles", "groups"])
def test_a_skewed_statistic_has_a_bca_interval_as_scipy_makes_it(
    clusters: np.ndarray | None,
) -> None:
    values = np.random.default_rng(4).exponential(size=60)
    each = values if clusters is None else values[clusters]
    strata = np.zeros(len(each), np.int64)
    record = Uncertainty(samples=4000).records(mean_of(each), strata, clusters)["mean"]
    expected = bootstrap((values,), np.mean, n_resamples=20_000, method="BCa", rng=1)
    assert record["method"].endswith("BCa)")
    # Wider by the factor for few units, which scipy does not know.
    for bound, name in zip(expected.confidence_interval, ("ci_low", "ci_high"), strict=True):
        assert record[name] == pytest.approx(bound, abs=0.06)
    assert record["ci_low"] + record["ci_high"] > 2 * values.mean()


def test_an_error_that_chance_enlarges_is_reflected() -> None:
    values, strata = np.random.default_rng(5).random(60), np.zeros(60, np.int64)
    uncertainty = Uncertainty(samples=400)
    record = uncertainty.records(mean_of(values), strata, None, ("mean",))["mean"]
    assert record["method"] == "bootstrap (stratified, reflected)"
    assert record["value"] - record["ci_low"] == pytest.approx(record["ci_high"] - record["value"])


def test_copies_in_one_group_say_nothing_new() -> None:
    values = np.random.default_rng(1).normal(size=60)
    clusters = np.repeat(np.arange(60), 10)
    statistics, strata = mean_of(np.repeat(values, 10)), np.zeros(600, np.int64)
    grouped = Uncertainty(samples=1000).records(statistics, strata, clusters)["mean"]
    alone = Uncertainty(samples=1000).records(statistics, strata, None)["mean"]
    assert grouped["ci_high"] - grouped["ci_low"] > 2.5 * (alone["ci_high"] - alone["ci_low"])
    assert "clustered" in grouped["method"]


def test_the_same_seed_gives_the_same_interval() -> None:
    values, strata = np.arange(30.0), np.zeros(30, np.int64)
    one, same, other = (
        Uncertainty(samples=50, seed=seed).records(mean_of(values), strata, None)
        for seed in (1, 1, 2)
    )
    assert one == same
    assert one != other


@pytest.mark.parametrize(
    ("tiles", "clusters"), [(1, None), (4, np.zeros(4, np.int64))], ids=["one tile", "one group"]
)
def test_where_nothing_can_be_resampled_the_reason_says_so(
    tiles: int, clusters: np.ndarray | None
) -> None:
    uncertainty = Uncertainty(samples=20)
    record = uncertainty.records(
        mean_of(np.arange(1.0, tiles + 1)), np.zeros(tiles, np.int64), clusters
    )
    assert record["mean"]["value"] is not None
    assert record["mean"]["ci_low"] is None
    assert "only, so nothing to resample" in record["mean"]["reason"]
    assert (
        uncertainty.replicates(mean_of(np.arange(4.0)), np.zeros(tiles, np.int64), clusters) == {}
    )


def test_what_is_undefined_has_a_reason_and_no_interval() -> None:
    record = record_of(float("nan"), Interval(0.1, 0.2), "wilson", 3, "nothing is there")
    assert record == {
        "value": None,
        "ci_low": None,
        "ci_high": None,
        "method": "wilson",
        "n": 3,
        "reason": "nothing is there",
    }


def test_a_band_is_the_interval_of_each_point() -> None:
    values = np.random.default_rng(2).normal(size=(60, 3))
    uncertainty, strata = Uncertainty(samples=400), np.zeros(60, np.int64)

    def curve(weights: Weights) -> dict[str, np.ndarray]:
        columns = [mean_under(values[:, place], weights) for place in range(3)]
        return {"curve": np.stack(columns, axis=-1)}

    band = uncertainty.band(curve, "curve", strata, None)
    assert band is not None
    tail = tail_of(0.95, 60)
    for place in range(3):
        samples = uncertainty.replicates(mean_of(values[:, place]), strata, None)["mean"]
        assert band[0][place] == pytest.approx(np.quantile(samples, tail))
        assert band[1][place] == pytest.approx(np.quantile(samples, 1 - tail))
    assert uncertainty.band(curve, "curve", strata, np.zeros(60, np.int64)) is None


def test_a_value_that_never_changes_has_no_interval() -> None:
    record = Uncertainty(samples=50).records(mean_of(np.ones(20)), np.zeros(20, np.int64), None)
    assert record["mean"]["value"] == 1
    assert record["mean"]["ci_low"] is None
    assert "same value" in record["mean"]["reason"]
