"""Tables over the classes: their averages, the confusion matrix as shares, calibration in parts."""

from collections.abc import Mapping, Sequence
from typing import Any

from histocli.report.tables import PER_CLASS_METRICS, Table, metric_cells
from histocli.report.wording import estimate, interval_method, metric_label, percent

Metrics = Mapping[str, Any]
AVERAGES = {
    "macro": "macro: all classes alike",
    "weighted": "weighted by their tiles",
    "micro": "micro: all questions pooled",
}
# Of the positive class of two; of more classes the second list, for each.
CALIBRATION_PARTS = {
    "expected_calibration_error": "ECE, bins of equal width",
    "equal_mass_calibration_error": "ECE, bins of equal mass",
    "brier": "Brier score",
    "brier_reliability": "Brier: reliability (0 is best)",
    "brier_resolution": "Brier: resolution (more is better)",
    "brier_uncertainty": "Brier: uncertainty of the labels",
    "brier_within_bins": "Brier: spread within bins",
    "calibration_intercept": "Intercept (0 is best)",
    "calibration_slope": "Slope (1 is best)",
}
PARTS_OF_SEVERAL = ("equal_mass_calibration_error", "calibration_slope")


def averages_table(
    metrics: Metrics,
    names: Sequence[str] = PER_CLASS_METRICS,
    *,
    with_intervals: bool = True,
) -> Table:
    """Macro, weighted and micro averages over the classes, each class against the rest.

    Args:
        metrics: The content of one ``metrics.json``.
        names: The metrics to show, as columns.
        with_intervals: False keeps the table within 80 columns.
    """
    rows = []
    for average, title in AVERAGES.items():
        entries = metrics["averages"][average]
        rows.append([title, *metric_cells(entries, names, with_intervals=with_intervals)])
    header = ("Average", *(metric_label(name) for name in names))
    return Table("Averages over the classes", header, rows)


def confusion_shares_table(metrics: Metrics) -> Table:
    """Of the tiles of each true class the share called each class, with intervals."""
    shares, classes = metrics["confusion_shares"], [str(name) for name in metrics["classes"]]
    rows = [
        [
            name,
            *(
                estimate({"value": value, "ci_low": low, "ci_high": high})
                for value, low, high in zip(
                    shares["value"][row], shares["ci_low"][row], shares["ci_high"][row], strict=True
                )
            ),
        ]
        for row, name in enumerate(classes)
    ]
    note = f"Rows are true classes and sum to 1; intervals by {interval_method(shares)}."
    return Table("Confusion matrix as shares", ("True \\ predicted", *classes), rows, (note,))


def calibration_parts_table(metrics: Metrics) -> Table:
    """Calibration of the judged split in all its parts, before and after the stored calibration."""
    section = metrics["calibration"]
    moments = [name for name in ("as_given", "calibrated") if name in section]
    tables = [section[name] for name in moments]
    rows = [["Log loss", *(estimate(table["log_loss"]) for table in tables)]]
    several = len(section["as_given"]["per_class"]) > 1
    for class_name in section["as_given"]["per_class"]:
        for name in PARTS_OF_SEVERAL if several else CALIBRATION_PARTS:
            head = f"{class_name}: " if several else ""
            cells = [estimate(table["per_class"][class_name].get(name)) for table in tables]
            rows.append([head + CALIBRATION_PARTS[name], *cells])
    header = ("Measure", "As the model gives it", f"After {section['method']}")[: 1 + len(moments)]
    level = percent(metrics["confidence"], 0)
    note = (
        f"Of the {metrics['split']} split, {section['bins']} bins; in brackets {level} intervals."
    )
    return Table("Calibration in parts", header, rows, (note,))
