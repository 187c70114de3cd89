from dataclasses import replace
from typing import Any

import pytest

from histocli.report.collect import collect_run
from histocli.report.run_tables import (
    attention_table,
    data_table,
    provenance_table,
    settings_table,
    training_table,
)
from histocli.report.tables import (
    calibration_table,
    comparison_table,
    confusion_table,
    metrics_table,
    per_class_table,
)
from histocli.report.wording import UNDEFINED
from tests.report.conftest import MakeRun


def metrics_of(**entries: dict[str, Any]) -> dict[str, Any]:
    return {
        "split": "test",
        "tiles": 3,
        "classes": ["a", "b"],
        "confusion_matrix": [[2, 0], [1, 0]],
        "metrics": entries,
        "per_class": {"a": entries, "b": entries},
    }


KNOWN = {"value": 0.9531, "ci_low": 0.9412, "ci_high": 0.9644}
UNKNOWN = {"value": None, "ci_low": None, "ci_high": None, "reason": "no tile is called b."}
WITHOUT_INTERVAL = {"value": 0.5, "ci_low": None, "ci_high": None, "reason": "one group only"}


def test_metrics_stand_in_a_fixed_order_with_their_intervals() -> None:
    metrics = metrics_of(zeta_score=KNOWN, specificity=KNOWN, auroc=KNOWN)
    table = metrics_table({"valid": metrics, "test": metrics})
    assert table.header == ("Metric", "valid", "test")
    assert [row[0] for row in table.rows] == ["AUROC", "Specificity", "Zeta score"]
    assert table.rows[0][1:] == ["0.953 (0.941 to 0.964)"] * 2
    assert table.notes == ("In brackets: 95\N{NO-BREAK SPACE}% confidence interval.",)


def test_what_is_undefined_is_a_dash_and_the_reason_is_said() -> None:
    table = metrics_table({"test": metrics_of(positive_predictive_value=UNKNOWN, f1=UNKNOWN)})
    assert table.rows == [["PPV", UNDEFINED], ["F1", UNDEFINED]]
    assert table.notes == ("PPV, F1: undefined (no tile is called b).",)


def test_a_value_without_interval_says_why() -> None:
    table = metrics_table({"valid": metrics_of(), "test": metrics_of(auroc=WITHOUT_INTERVAL)})
    assert table.rows == [["AUROC", UNDEFINED, "0.500"]]
    assert table.notes == ("AUROC (test): without an interval (one group only).",)


def test_no_evaluation_gives_an_empty_table() -> None:
    assert metrics_table({}).rows == []


def test_classes_are_counted_by_their_true_tiles() -> None:
    metrics = metrics_of(auroc=KNOWN)
    table = per_class_table(metrics, with_intervals=False)
    assert [row[:3] for row in table.rows] == [["a", "2", "0.953"], ["b", "1", "0.953"]]
    assert per_class_table(metrics).rows[0][2] == "0.953 (0.941 to 0.964)"


def test_confusion_holds_the_counts() -> None:
    table = confusion_table(metrics_of())
    assert table.header[1:] == ("a", "b")
    assert table.rows == [["a", "2", "0"], ["b", "1", "0"]]


def test_calibration_is_shown_before_and_after(make_run: MakeRun) -> None:
    splits = {each.split: each.metrics for each in collect_run(make_run()).evaluations}
    table = calibration_table(splits)
    assert table is not None
    assert [row[0] for row in table.rows[:2]] == ["ECE, as given", "ECE, calibrated"]
    assert calibration_table({"test": metrics_of(auroc=KNOWN)}) is None


def test_runs_on_the_same_data_stand_side_by_side(make_run: MakeRun) -> None:
    summaries = [collect_run(make_run(name)) for name in ("one", "two")]
    table = comparison_table(summaries, with_intervals=False)
    assert [row[:3] for row in table.rows] == [["one", "test", "120"], ["two", "test", "120"]]
    assert not any("same tiles" in note for note in table.notes)


def test_runs_on_other_data_are_not_to_be_ranked(make_run: MakeRun) -> None:
    one, two = (collect_run(make_run(name)) for name in ("one", "two"))
    other_data = replace(two.record, inputs={"data": {"sha256": "another"}})
    for other in (
        replace(two, record=other_data),
        collect_run(make_run("three", classes=("a", "b", "c"))),
        collect_run(make_run("four", splits=("valid",))),
        collect_run(make_run("five", splits=())),
    ):
        assert any("do not rank" in note for note in comparison_table([one, other]).notes)


def test_a_run_without_evaluation_is_dashes_and_advice(make_run: MakeRun) -> None:
    table = comparison_table([collect_run(make_run(splits=()))])
    assert table.rows == [["first", *[UNDEFINED] * 6]]
    assert "histo evaluate" in table.notes[0]


def test_data_are_summed_by_split(make_run: MakeRun) -> None:
    table = data_table(collect_run(make_run()))
    assert table.header == ("Class", "train", "test")
    assert table.rows == [
        ["normal", "50", "20"],
        ["tumor", "50", "20"],
        ["All tiles", "100", "40"],
        ["Groups", "12", "4"],
    ]


def test_training_names_the_kept_epoch(make_run: MakeRun) -> None:
    assert dict(training_table(collect_run(make_run())).rows)["Kept epoch"] == "2"


def test_attention_is_read_against_chance_and_ceiling(make_run: MakeRun) -> None:
    explanation = collect_run(make_run()).explanation
    assert explanation is not None
    assert explanation.attention is not None
    table = attention_table(explanation.attention)
    assert table.rows == [
        ["tumor", "9", "0.300 (0.200 to 0.400)", "0.700", "2.70 \N{MULTIPLICATION SIGN}"]
    ]
    assert "11.1" in table.notes[0]
    assert "56.0" in table.notes[1]


@pytest.mark.parametrize("attention", [{}, {"groups": {"a": {}}}, {"groups": {}, "method": "x"}])
def test_sparse_attention_is_dashes(attention: dict[str, Any]) -> None:
    for row in attention_table(attention).rows:
        assert row[1:] == [UNDEFINED] * 4


def test_provenance_can_be_pasted_into_a_shell(make_run: MakeRun) -> None:
    summary = collect_run(make_run())
    record = replace(summary.record, command_line=["histo", "train", "my data"])
    rows = dict(provenance_table(replace(summary, record=record)).rows)
    assert rows["Command line"] == "histo train 'my data'"
    assert rows["Input data: sha256"] == "ab"
    assert dict(settings_table(summary).rows) == {"arch": "efficientnet", "epochs": UNDEFINED}
