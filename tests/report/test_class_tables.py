"""Averages, confusion shares and calibration in parts, as the file has them."""

from typing import Any

import pytest

from histocli.metrics.analyses import Material, analyses
from histocli.metrics.evaluate import evaluate
from histocli.report.class_tables import (
    averages_table,
    calibration_parts_table,
    confusion_shares_table,
)
from histocli.report.wording import estimate
from tests.report.conftest import made_predictions


def measured(classes: list[str]) -> dict[str, Any]:
    predictions = made_predictions(classes)
    arguments: dict[str, Any] = {
        "split": "test",
        "positive_class": classes[-1],
        "bootstrap_samples": 50,
    }
    material = Material(calibration={"method": "platt"}, threshold=0.5)
    return evaluate(predictions, threshold=0.5, **arguments) | analyses(
        predictions, material=material, **arguments
    )


def test_averages_are_those_of_the_file() -> None:
    metrics = measured(["a", "b", "c"])
    table = averages_table(metrics)
    assert [row[0].split()[0].rstrip(":") for row in table.rows] == ["macro", "weighted", "micro"]
    for row, average in zip(table.rows, ("macro", "weighted", "micro"), strict=True):
        assert row[1] == estimate(metrics["averages"][average]["auroc"])
    short = averages_table(metrics, with_intervals=False)
    assert all("to" not in cell.split() for row in short.rows for cell in row[1:])


@pytest.mark.parametrize("classes", [["normal", "tumor"], ["a", "b", "c"]])
def test_each_row_of_the_confusion_matrix_sums_to_one_and_has_intervals(classes: list[str]) -> None:
    metrics = measured(classes)
    table = confusion_shares_table(metrics)
    assert table.header[1:] == tuple(classes)
    for name, row in zip(classes, table.rows, strict=True):
        assert row[0] == name
        assert sum(float(cell.split()[0]) for cell in row[1:]) == pytest.approx(1, abs=0.002)
        assert all(" to " in cell for cell in row[1:])
    assert "intervals by a percentile bootstrap of whole groups." in table.notes[0]


def test_calibration_is_shown_in_all_parts_before_and_after() -> None:
    metrics = measured(["normal", "tumor"])
    table = calibration_parts_table(metrics)
    assert table.header == ("Measure", "As the model gives it", "After platt")
    rows = {row[0]: row[1:] for row in table.rows}
    for title, name in (
        ("ECE, bins of equal mass", "equal_mass_calibration_error"),
        ("Brier: reliability (0 is best)", "brier_reliability"),
        ("Slope (1 is best)", "calibration_slope"),
    ):
        assert rows[title] == [
            estimate(metrics["calibration"][moment]["per_class"]["tumor"][name])
            for moment in ("as_given", "calibrated")
        ]
    assert "15 bins" in table.notes[0]


def test_of_several_classes_each_is_named() -> None:
    table = calibration_parts_table(measured(["a", "b", "c"]))
    assert [row[0] for row in table.rows[1:]] == [
        f"{name}: {part}"
        for name in "abc"
        for part in ("ECE, bins of equal mass", "Slope (1 is best)")
    ]
