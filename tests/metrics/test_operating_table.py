import numpy as np
import pytest

from histocli.metrics.labelled import Labelled
from histocli.metrics.operating_rules import parse_rules
from histocli.metrics.operating_table import operating_points, predictive_records
from histocli.metrics.predictive_values import LOGIT, logit_intervals
from histocli.metrics.uncertainty import Uncertainty
from tests.metrics.conftest import MakePredictions

QUICK = Uncertainty(samples=200)


def test_the_threshold_is_chosen_on_one_split_and_judged_on_the_other(
    make_predictions: MakePredictions,
) -> None:
    valid = Labelled.of(make_predictions(seed=1, tiles=150), "tumor")
    test = Labelled.of(make_predictions(seed=2, tiles=120), "tumor")
    rules = parse_rules(["sensitivity=0.9,threshold=0.3"])
    found = operating_points(rules, valid, test, None, QUICK)
    assert [entry["rule"] for entry in found] == ["sensitivity=0.9", "threshold=0.3"]
    assert [entry["chosen_on"] for entry in found] == ["valid", "stated"]
    for entry in found:
        for tiles, rates in ((test, entry["metrics"]), (valid, entry["when_chosen"])):
            called = tiles.probabilities[:, 1] >= entry["threshold"]
            expected = called[tiles.labels == 1].mean()
            value = rates["sensitivity"]
            assert (value["value"] if isinstance(value, dict) else value) == pytest.approx(expected)
    assert found[0]["when_chosen"]["sensitivity"] >= 0.9
    assert "at_prevalence" not in found[0]


def test_at_the_splits_own_prevalence_the_predictive_values_are_the_plain_ones(
    make_predictions: MakePredictions,
) -> None:
    test = Labelled.of(make_predictions(tiles=300), "tumor").decided(0.5)
    records = predictive_records(test, float((test.labels == 1).mean()), QUICK)
    called = test.predicted == 1
    expected = (test.labels[called] == 1).mean()
    record = records["positive_predictive_value"]
    assert record["value"] == pytest.approx(expected)
    assert record["method"] == LOGIT
    assert record["ci_low"] < record["value"] < record["ci_high"]


def test_in_groups_they_are_resampled_by_group_and_the_logit_interval_stands_beside(
    make_predictions: MakePredictions,
) -> None:
    groups = [f"slide {row // 15}" for row in range(300)]
    grouped = Labelled.of(make_predictions(tiles=300, groups=groups), "tumor")
    alone = Labelled.of(make_predictions(tiles=300), "tumor")
    for name, record in predictive_records(grouped, 0.05, QUICK).items():
        plain = predictive_records(alone, 0.05, QUICK)[name]
        assert record["value"] == pytest.approx(plain["value"])
        assert record["ci_unclustered"] == [plain["ci_low"], plain["ci_high"]]
        assert "clustered" in record["method"]


def test_where_no_positive_is_missed_a_group_counts_as_one_tile() -> None:
    truth = np.arange(200) % 2
    tiles = Labelled(
        tiles=tuple(map(str, range(200))),
        classes=("normal", "tumor"),
        positive_index=1,
        labels=truth,
        # Two of ten negatives are false alarms, more in some groups than in others.
        predicted=np.where((truth == 1) | (np.arange(200) % 50 < 10), 1, 0).astype(np.int64),
        probabilities=np.full((200, 2), 0.5),
        calibrated=None,
        groups=tuple(f"slide {row // 10}" for row in range(200)),
    )
    record = predictive_records(tiles, 0.1, QUICK)["negative_predictive_value"]
    expected = logit_intervals(20, 20, 16, 20, 0.1)[1]
    assert record["value"] == 1
    assert record["method"] == "logit (Mercaldo, groups as cases)"
    assert (record["ci_low"], record["ci_high"]) == pytest.approx((expected.low, expected.high))
    assert record["ci_low"] < record["ci_unclustered"][0]
    assert "reason" not in record


def test_several_classes_have_no_operating_points(make_predictions: MakePredictions) -> None:
    tiles = Labelled.of(make_predictions(classes=("a", "b", "c")), "c")
    assert operating_points(parse_rules(["youden"]), tiles, tiles, None, QUICK) == []
    assert predictive_records(tiles, 0.1, QUICK) == {}


def test_a_split_of_one_class_is_judged_with_what_is_defined(
    make_predictions: MakePredictions,
) -> None:
    valid = Labelled.of(make_predictions(seed=1), "tumor")
    test = Labelled.of(make_predictions(labels=["normal"] * 80), "tumor")
    (entry,) = operating_points(parse_rules(["youden"]), valid, test, 0.1, QUICK)
    assert entry["metrics"]["sensitivity"]["value"] is None
    assert entry["metrics"]["specificity"]["value"] is not None
    record = entry["at_prevalence"]["positive_predictive_value"]
    assert record["value"] is None
    assert record["reason"]
    assert np.isfinite(entry["threshold"])
