import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

from histocli.atomic_files import write_json
from histocli.metrics.analyses import Material, analyses
from histocli.metrics.evaluate import evaluate
from histocli.metrics.operating_rules import parse_rules
from histocli.predictions import Predictions
from tests.metrics.conftest import MakePredictions

SCHEMA = json.loads((files("histocli") / "schemas" / "metrics.schema.json").read_text())


def whole(predictions: Predictions, material: Material, split: str = "test") -> dict[str, Any]:
    positive = predictions.classes[-1]
    threshold = 0.5 if len(predictions.classes) == 2 else None
    table = evaluate(
        predictions,
        split=split,
        positive_class=positive,
        threshold=threshold,
        bootstrap_samples=20,
    )
    return table | analyses(
        predictions,
        split=split,
        positive_class=positive,
        material=material,
        bootstrap_samples=20,
    )


def everything(predictions: Predictions, valid: Predictions) -> Material:
    rows = [row for row, label in enumerate(predictions.labels) if label]
    table = predictions.probabilities[rows]
    return Material(
        calibration={"method": "platt", "fitted_on": "valid"},
        threshold=0.5,
        valid=valid,
        rules=parse_rules(["youden,sensitivity=0.9,cost=3:1"]),
        prevalence=0.1,
        columns={"third": [None if row == 4 else f"{row % 3}" for row in rows]},
        aggregations=["mean", "noisy-or"] if any(predictions.groups) else [],
        undisturbed=predictions,
        disturbed=[("blur", "pixels", 1.0, predictions)],
        color=table[:, ::-1].copy(),
        train_labels=np.array([0, 1, 1]),
        warnings=["3 groups are in two splits"],
    )


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"calibrated": True, "groups": [f"slide {row % 9}" for row in range(80)]},
        {"classes": ("a", "b", "c", "d"), "calibrated": True},
        {"classes": ("a", "b", "c"), "groups": [f"slide {row % 5}" for row in range(80)]},
        {"labels": ["normal"] * 80},
        {"labels": ["tumor"] * 80, "groups": ["slide"] * 80},
        {"labels": ["tumor", *[None] * 79], "groups": ["slide"] * 80},
    ],
    ids=[
        "two classes",
        "two classes in groups, calibrated",
        "four classes, calibrated",
        "three classes in groups",
        "one class absent",
        "one class absent, one group",
        "one tile",
    ],
)
@pytest.mark.parametrize("asked", ["everything", "nothing"])
def test_the_written_file_follows_the_schema(
    arguments: dict[str, Any], asked: str, make_predictions: MakePredictions, tmp_path: Path
) -> None:
    predictions = make_predictions(**arguments)
    valid = make_predictions(seed=5, classes=predictions.classes)
    material = everything(predictions, valid) if asked == "everything" else Material()
    write_json(tmp_path / "metrics.json", whole(predictions, material))
    written = json.loads((tmp_path / "metrics.json").read_text())
    jsonschema.validate(written, SCHEMA, cls=jsonschema.Draft202012Validator)
    keys = set(written) & {
        "at_prevalence",
        "operating_points",
        "calibration",
        "decision_curve",
        "selective",
        "conformal",
        "subgroups",
        "aggregated",
        "stress",
        "sanity",
    }
    if asked == "nothing":
        assert keys == {"calibration", "decision_curve", "selective", "sanity"}
    else:
        assert ("aggregated" in keys) == any(predictions.groups)
        assert ("at_prevalence" in keys) == (len(predictions.classes) == 2)
        assert len(keys - {"aggregated", "at_prevalence"}) == 8
        assert "3 groups are in two splits" in written["sanity"]["warnings"]


def test_a_prevalence_alone_gives_the_predictive_values_of_the_stored_operating_point(
    make_predictions: MakePredictions,
) -> None:
    predictions = make_predictions(tiles=400)
    found = whole(predictions, Material(threshold=0.5, prevalence=0.02))
    assert "operating_points" not in found
    hits, alarms = (found["metrics"][name]["value"] for name in ("sensitivity", "specificity"))
    expected = hits * 0.02 / (hits * 0.02 + (1 - alarms) * 0.98)
    record = found["at_prevalence"]["positive_predictive_value"]
    assert record["value"] == pytest.approx(expected)
    assert record["ci_low"] < expected < record["ci_high"]
    assert record["value"] < found["metrics"]["positive_predictive_value"]["value"]


def test_the_validation_split_is_not_compared_with_itself(
    make_predictions: MakePredictions,
) -> None:
    predictions = make_predictions()
    found = whole(predictions, Material(valid=predictions), split="valid")
    assert "agreement" not in found["sanity"]
    assert "conformal" not in found


def test_the_same_seed_gives_the_same_file(make_predictions: MakePredictions) -> None:
    predictions, valid = make_predictions(calibrated=True), make_predictions(seed=5)
    material = everything(predictions, valid)
    assert whole(predictions, material) == whole(predictions, material)
