"""What cannot be computed is NaN: never a warning, never zero."""

import numpy as np
import pytest

from histocli.metrics.definitions import METRICS, metrics_of
from histocli.metrics.definitions.evidence import Evidence


def binary(labels: list[int], predicted: list[int]) -> Evidence:
    positive = np.where(np.array(predicted, dtype=np.int64) == 1, 0.8, 0.3)
    return Evidence(
        label_indices=np.array(labels, dtype=np.int64),
        predicted_indices=np.array(predicted, dtype=np.int64),
        probabilities=np.stack([1 - positive, positive], axis=1),
        positive_index=1,
        weights=np.ones(len(labels)),
    )


def undefined(evidence: Evidence) -> set[str]:
    values = {name: METRICS[name].measure(evidence) for name in metrics_of(2)}
    return {name for name, value in values.items() if np.isnan(value.overall)}


def test_without_positives_what_needs_them_is_nan() -> None:
    assert undefined(binary([0, 0, 0], [0, 1, 0])) == {
        "auroc",
        "average_precision",
        "balanced_accuracy",
        "sensitivity",
        "matthews_correlation",
    }


def test_without_negatives_what_needs_them_is_nan() -> None:
    assert undefined(binary([1, 1, 1], [0, 1, 0])) == {
        "auroc",
        "balanced_accuracy",
        "specificity",
        "matthews_correlation",
    }


def test_without_predicted_positives_their_predictive_value_is_nan() -> None:
    assert undefined(binary([0, 1, 1], [0, 0, 0])) == {
        "positive_predictive_value",
        "matthews_correlation",
    }


def test_without_predicted_negatives_their_predictive_value_is_nan() -> None:
    assert undefined(binary([0, 1, 1], [1, 1, 1])) == {
        "negative_predictive_value",
        "matthews_correlation",
    }


def test_one_class_everywhere_leaves_only_what_needs_no_other() -> None:
    assert undefined(binary([0, 0], [0, 0])) == {
        "auroc",
        "average_precision",
        "balanced_accuracy",
        "sensitivity",
        "positive_predictive_value",
        "f1",
        "matthews_correlation",
        "cohen_kappa",
    }


def test_without_tiles_everything_is_nan() -> None:
    assert undefined(binary([], [])) == {*metrics_of(2)}


@pytest.mark.parametrize(("labels", "predicted"), [([1], [1]), ([0], [1]), ([1], [0])])
def test_one_tile_has_a_brier_score_and_no_auroc(labels: list[int], predicted: list[int]) -> None:
    missing = undefined(binary(labels, predicted))
    assert "auroc" in missing
    assert not {"brier", "log_loss", "accuracy", "expected_calibration_error"} & missing


def test_every_metric_says_why_it_can_be_undefined() -> None:
    assert all(metric.undefined and metric.title for metric in METRICS.values())


def test_scores_that_all_tie_rank_like_a_coin() -> None:
    evidence = binary([0, 1, 1, 0], [1, 1, 1, 1])
    assert METRICS["auroc"].measure(evidence).overall == 0.5
    assert METRICS["average_precision"].measure(evidence).overall == 0.5


def test_perfect_separation_ranks_perfectly() -> None:
    evidence = binary([0, 1, 1, 0], [0, 1, 1, 0])
    for name in ("auroc", "average_precision", "matthews_correlation", "cohen_kappa", "f1"):
        assert METRICS[name].measure(evidence).overall == 1
