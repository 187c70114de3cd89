import json
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

from histocli.atomic_files import write_json
from histocli.errors import InputError
from histocli.metrics.definitions import metrics_of
from histocli.metrics.evaluate import evaluate
from histocli.predictions import Predictions

Make = Callable[..., Predictions]
SCHEMA = json.loads((files("histocli") / "schemas" / "metrics.schema.json").read_text())
PROPORTIONS = {
    "accuracy",
    "sensitivity",
    "specificity",
    "positive_predictive_value",
    "negative_predictive_value",
}


def measured(predictions: Predictions, **changes: object) -> dict[str, Any]:
    positive = predictions.classes[-1]
    arguments: dict[str, Any] = {"split": "test", "threshold": 0.5, "bootstrap_samples": 100}
    return evaluate(predictions, **{"positive_class": positive, **arguments, **changes})


def correlated(tiles_per_group: int = 20, groups: int = 12) -> Predictions:
    """Tiles of one patient are nearly copies of each other."""
    generator = np.random.default_rng(3)
    labels = np.arange(groups) % 2
    odds = np.clip(0.5 + (labels - 0.5) * 0.3 + generator.normal(0, 0.2, groups), 0.02, 0.98)
    scores = np.repeat(odds, tiles_per_group) + generator.normal(0, 0.005, groups * tiles_per_group)
    truth = np.repeat(labels, tiles_per_group)
    return Predictions(
        tiles=[str(row) for row in range(len(scores))],
        classes=["normal", "tumor"],
        probabilities=np.stack([1 - scores, scores], axis=1),
        predicted=["tumor" if score >= 0.5 else "normal" for score in scores],
        labels=["tumor" if label else "normal" for label in truth],
        groups=[f"patient {row // tiles_per_group}" for row in range(len(scores))],
    )


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"calibrated": True},
        {"classes": ("a", "b", "c", "d"), "calibrated": True},
        {"groups": [f"slide {row % 9}" for row in range(80)], "calibrated": True},
        {"groups": [f"slide {row % 9}" if row % 2 else None for row in range(80)]},
        {"groups": ["slide"] * 80},
        {"classes": ("a", "b", "c"), "groups": [f"slide {row % 5}" for row in range(80)]},
        {"labels": ["normal"] * 80},
        {"labels": ["tumor", *[None] * 79], "groups": ["slide"] * 80},
        {"labels": ["normal", *[None] * 79]},
        {"tiles": 3, "classes": ("a", "b", "c", "d", "e")},
        {"classes": ("only",)},
    ],
    ids=str,
)
@pytest.mark.parametrize("samples", [0, 100])
def test_the_written_file_follows_the_schema(
    arguments: dict[str, Any], samples: int, make_predictions: Make, tmp_path: Path
) -> None:
    predictions = make_predictions(**arguments)
    result = measured(predictions, bootstrap_samples=samples)
    write_json(tmp_path / "metrics.json", result)
    written = json.loads((tmp_path / "metrics.json").read_text())
    jsonschema.validate(written, SCHEMA, cls=jsonschema.Draft202012Validator)
    assert written == result
    assert tuple(written["metrics"]) == metrics_of(len(predictions.classes))
    assert list(written["per_class"]) == list(predictions.classes)


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert set(SCHEMA["properties"]["metrics"]["required"]) == {*metrics_of(2)}


def test_a_worked_example() -> None:
    predictions = Predictions(
        tiles=list("abcde"),
        classes=["normal", "tumor"],
        probabilities=np.array([[0.9, 0.1], [0.4, 0.6], [0.3, 0.7], [0.8, 0.2], [0.5, 0.5]]),
        predicted=["normal", "tumor", "tumor", "normal", "tumor"],
        labels=["normal", "normal", "tumor", "tumor", None],
        groups=[None] * 5,
    )
    result = measured(predictions, threshold=0.45)
    assert (result["tiles"], result["unlabelled"], result["groups"]) == (4, 1, None)
    assert (result["positive_class"], result["threshold"]) == ("tumor", 0.45)
    assert result["confusion_matrix"] == [[1, 1], [1, 1]]
    assert result["prevalence"] == {"normal": 0.5, "tumor": 0.5}
    assert result["metrics"]["auroc"]["value"] == 0.75
    assert result["metrics"]["sensitivity"]["value"] == 0.5
    assert result["metrics"]["sensitivity"]["n"] == 2
    assert result["metrics"]["brier"]["value"] == pytest.approx((0.01 + 0.36 + 0.09 + 0.64) / 4)
    assert result["metrics"]["brier"]["n"] == 4


def test_decisions_follow_the_stored_operating_point_not_the_probabilities(
    make_predictions: Make,
) -> None:
    predictions = make_predictions()
    everything = Predictions(
        **{**vars(predictions), "predicted": ["tumor"] * len(predictions.tiles)}
    )
    result = measured(everything)
    assert result["metrics"]["sensitivity"]["value"] == 1
    assert result["metrics"]["negative_predictive_value"]["value"] is None
    assert result["metrics"]["auroc"] == measured(predictions)["metrics"]["auroc"]


def test_each_metric_has_the_interval_that_was_made_for_it(make_predictions: Make) -> None:
    result = measured(make_predictions(tiles=300), bootstrap_samples=400)
    for name, record in result["metrics"].items():
        expected = "bootstrap (stratified" if name not in PROPORTIONS else "wilson"
        assert record["method"].startswith("delong" if name == "auroc" else expected)
        assert "ci_unclustered" not in record


def test_a_macro_average_is_no_proportion_but_its_classes_are(make_predictions: Make) -> None:
    result = measured(make_predictions(classes=("a", "b", "c")))
    assert result["metrics"]["sensitivity"]["method"].startswith("bootstrap")
    assert result["metrics"]["accuracy"]["method"] == "wilson"
    assert result["metrics"]["auroc"]["method"] == "delong (logit)"
    assert result["per_class"]["b"]["sensitivity"]["method"] == "wilson"
    assert (result["positive_class"], result["threshold"]) == (None, None)


@pytest.mark.parametrize(
    ("positives", "method"), [(24, "newcombe"), (26, "delong (logit)")], ids=["few", "enough"]
)
def test_an_area_that_hangs_on_few_tiles_has_a_score_interval(positives: int, method: str) -> None:
    # One positive in five lies below every negative: an AUROC of 0.8, 0.2 * positives ranked wrongly.
    truth = np.repeat([1, 0], [positives, 500])
    scores = np.where(truth == 1, 0.9, np.linspace(0.2, 0.8, len(truth)))
    missed = positives / 5
    scores[: int(missed)] = 0.1
    scores[int(missed)] = 0.5
    predictions = Predictions(
        tiles=[str(row) for row in range(len(truth))],
        classes=["normal", "tumor"],
        probabilities=np.stack([1 - scores, scores], axis=1),
        predicted=["tumor" if score >= 0.5 else "normal" for score in scores],
        labels=["tumor" if label else "normal" for label in truth],
        groups=[None] * len(truth),
    )
    record = measured(predictions)["metrics"]["auroc"]
    assert record["value"] == pytest.approx(0.8, abs=0.03)
    assert record["method"] == method


def test_exact_intervals_of_proportions_are_wider(make_predictions: Make) -> None:
    predictions = make_predictions()
    score = measured(predictions)["metrics"]
    exact = measured(predictions, proportion_interval="clopper-pearson")["metrics"]
    for name in PROPORTIONS:
        assert exact[name]["method"] == "clopper-pearson"
        width = exact[name]["ci_high"] - exact[name]["ci_low"]
        assert width > score[name]["ci_high"] - score[name]["ci_low"]


def test_intervals_hold_their_value(make_predictions: Make) -> None:
    result = measured(make_predictions(tiles=200, classes=("a", "b", "c")), bootstrap_samples=400)
    for record in result["metrics"].values():
        assert record["ci_low"] < record["value"] < record["ci_high"]


def test_a_group_makes_every_headline_interval_clustered() -> None:
    result = measured(correlated())
    assert result["groups"] == 12
    for record in [*result["metrics"].values(), *result["per_class"]["normal"].values()]:
        assert record["method"].startswith("bootstrap (clustered by group")
        assert len(record["ci_unclustered"]) == 2


@pytest.mark.parametrize("name", sorted({*metrics_of(2)} - {"expected_calibration_error"}))
def test_tiles_that_resemble_each_other_widen_the_interval(name: str) -> None:
    record = measured(correlated())["metrics"][name]
    low, high = record["ci_unclustered"]
    assert record["ci_high"] - record["ci_low"] > 1.5 * (high - low)


def test_groups_do_not_change_values_or_unclustered_intervals() -> None:
    grouped = correlated()
    alone = Predictions(**{**vars(grouped), "groups": [None] * len(grouped.tiles)})
    with_groups, without = measured(grouped)["metrics"], measured(alone)["metrics"]
    for name, record in without.items():
        assert record["value"] == with_groups[name]["value"]
        assert [record["ci_low"], record["ci_high"]] == with_groups[name]["ci_unclustered"]


def test_one_group_gives_no_interval_and_a_reason(make_predictions: Make) -> None:
    record = measured(make_predictions(groups=["slide"] * 80))["metrics"]["auroc"]
    assert record["value"] is not None
    assert (record["ci_low"], record["ci_high"]) == (None, None)
    assert "one group" in record["reason"]
    assert None not in record["ci_unclustered"]


def test_an_absent_class_leaves_null_and_names_the_class(make_predictions: Make) -> None:
    labels = ["a", "b"] * 40
    result = measured(make_predictions(classes=("a", "b", "c"), labels=labels))
    macro = result["metrics"]["sensitivity"]
    assert (macro["value"], macro["ci_low"]) == (None, None)
    assert macro["reason"] == "undefined for c: there is no tile of the class"
    assert result["per_class"]["c"]["sensitivity"]["n"] == 0
    assert result["per_class"]["a"]["sensitivity"]["value"] is not None


def test_one_tile_is_measured_without_bootstrap_intervals(make_predictions: Make) -> None:
    result = measured(make_predictions(tiles=1))
    assert result["metrics"]["brier"]["value"] is not None
    assert result["metrics"]["brier"]["ci_low"] is None
    assert "one tile" in result["metrics"]["brier"]["reason"]
    assert result["metrics"]["accuracy"]["ci_low"] is not None


def test_the_seed_decides_the_intervals(make_predictions: Make) -> None:
    predictions = make_predictions()
    assert measured(predictions, seed=4) == measured(predictions, seed=4)
    assert measured(predictions, seed=4) != measured(predictions, seed=5)


def test_more_confidence_widens_every_interval(make_predictions: Make) -> None:
    narrow = measured(make_predictions(), confidence=0.8)["metrics"]
    wide = measured(make_predictions(), confidence=0.99)["metrics"]
    for name, record in narrow.items():
        assert wide[name]["ci_low"] < record["ci_low"] <= record["ci_high"] < wide[name]["ci_high"]


def test_calibrated_probabilities_are_measured_beside_the_raw_ones(make_predictions: Make) -> None:
    predictions = make_predictions(calibrated=True)
    result = measured(predictions)
    assert predictions.calibrated is not None
    alone = measured(Predictions(**{**vars(predictions), "probabilities": predictions.calibrated}))
    for name in ("brier", "expected_calibration_error", "log_loss"):
        assert result["calibrated"][name] == alone["metrics"][name]
        assert result["calibrated"][name] != result["metrics"][name]


def test_without_labels_it_says_what_to_do(make_predictions: Make) -> None:
    with pytest.raises(InputError, match="add a label column"):
        measured(make_predictions(labels=[None] * 80))


def test_unknown_names_are_refused(make_predictions: Make) -> None:
    predictions = make_predictions()
    with pytest.raises(InputError, match="'cancer'"):
        measured(predictions, positive_class="cancer")
    with pytest.raises(InputError, match="'stroma'"):
        measured(make_predictions(labels=["stroma"] * 80))
    with pytest.raises(InputError, match="'stroma'"):
        measured(Predictions(**{**vars(predictions), "predicted": ["stroma"] * 80}))
