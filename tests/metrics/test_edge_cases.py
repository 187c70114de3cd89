"""Each odd table has a defined value or a clear error."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from histocli.errors import InputError
from histocli.metrics.definitions import METRICS
from histocli.metrics.evaluate import evaluate
from histocli.predictions import Predictions

Make = Callable[..., Predictions]


def table(
    labels: list[str], scores: np.ndarray, groups: list[str | None] | None = None
) -> Predictions:
    return Predictions(
        tiles=[f"{row}.png" for row in range(len(labels))],
        classes=["normal", "tumor"],
        probabilities=np.stack([1 - scores, scores], axis=1),
        predicted=["tumor" if score >= 0.5 else "normal" for score in scores],
        labels=labels,
        groups=groups or [None] * len(labels),
    )


def measured(predictions: Predictions) -> dict[str, Any]:
    return evaluate(
        predictions, split="test", positive_class="tumor", threshold=0.5, bootstrap_samples=200
    )


def in_pairs(count: int) -> list[str | None]:
    return [f"slide {row // 2}" for row in range(count)]


def test_one_class_absent() -> None:
    metrics = measured(table(["normal"] * 20, np.linspace(0, 1, 20)))["metrics"]
    for name in ("auroc", "average_precision", "sensitivity", "balanced_accuracy"):
        assert metrics[name]["value"] is None
        assert metrics[name]["ci_low"] is None
        assert metrics[name]["reason"] == METRICS[name].undefined
    assert metrics["specificity"]["value"] == 0.5


def test_one_group() -> None:
    result = measured(table(["normal", "tumor"] * 20, np.linspace(0, 1, 40), ["slide"] * 40))
    for record in result["metrics"].values():
        assert record["ci_low"] is None
        assert "one group" in record["reason"]
        assert record["ci_unclustered"][0] < record["ci_unclustered"][1]


@pytest.mark.parametrize("groups", [None, in_pairs(40)], ids=["tiles", "groups"])
def test_ties_everywhere(groups: list[str | None] | None) -> None:
    labels = ["normal", "normal", "tumor", "tumor"] * 10
    record = measured(table(labels, np.full(40, 0.5), groups))["metrics"]["auroc"]
    assert record["value"] == 0.5
    assert record["method"].startswith("newcombe")
    assert record["ci_low"] < 0.4
    assert record["ci_high"] == pytest.approx(1 - record["ci_low"])


@pytest.mark.parametrize("groups", [None, in_pairs(40)], ids=["tiles", "groups"])
def test_perfect_separation_has_intervals_that_are_not_empty(
    groups: list[str | None] | None,
) -> None:
    labels = ["normal", "normal", "tumor", "tumor"] * 10
    scores = np.where(np.array(labels) == "tumor", 0.9, 0.1)
    metrics = measured(table(labels, scores, groups))["metrics"]
    for name in ("auroc", "accuracy", "sensitivity", "positive_predictive_value"):
        record = metrics[name]
        assert (record["value"], record["ci_high"]) == (1, 1)
        assert record["ci_low"] < 0.95
    expected = "newcombe (groups as cases)" if groups else "newcombe"
    assert metrics["auroc"]["method"] == expected
    assert metrics["f1"]["ci_low"] is None
    assert "same value" in metrics["f1"]["reason"]


def test_groups_as_trials_are_wider_than_tiles() -> None:
    labels, scores = ["tumor"] * 40, np.full(40, 0.9)
    alone = measured(table(labels, scores))["metrics"]["sensitivity"]
    grouped = measured(table(labels, scores, in_pairs(40)))["metrics"]["sensitivity"]
    assert grouped["method"] == "wilson (groups as trials)"
    assert grouped["ci_low"] < alone["ci_low"] == grouped["ci_unclustered"][0]


@pytest.mark.parametrize(
    "wrong",
    [[np.nan, 0.5], [0.5, np.inf], [0.5, 0.6], [-0.1, 1.1], [0.0, 0.0]],
    ids=["NaN", "infinite", "sum", "negative", "zero"],
)
def test_what_is_no_probability_is_refused_and_the_row_named(wrong: list[float]) -> None:
    probabilities = np.full((5, 2), 0.5)
    probabilities[3] = wrong
    with pytest.raises(InputError, match="row 3 of the probabilities"):
        Predictions(
            tiles=list("abcde"),
            classes=["normal", "tumor"],
            probabilities=probabilities,
            predicted=["tumor"] * 5,
            labels=["tumor"] * 5,
            groups=[None] * 5,
        )


@pytest.mark.parametrize("cell", ["nan", "0.9", "much"])
def test_a_written_table_with_no_probability_is_refused(
    cell: str, tmp_path: Path, make_predictions: Make
) -> None:
    path = tmp_path / "predictions.csv"
    make_predictions(tiles=4).write(path)
    rows = list(csv.reader(path.read_text().splitlines()))
    rows[2][rows[0].index("probability_tumor")] = cell
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    with pytest.raises(InputError, match=r"predictions|probabilities"):
        Predictions.read(path)


def test_labels_unknown_to_the_model_are_named() -> None:
    with pytest.raises(InputError, match="'stroma'"):
        measured(table(["stroma", "tumor"], np.array([0.2, 0.8])))
