"""Results as tables of short texts: the terminal and the page print the same cells."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from histocli.report.best_of_runs import is_current, shown_best
from histocli.report.run_summary import RunSummary
from histocli.report.wording import (
    UNDEFINED,
    count,
    estimate,
    in_order,
    interval,
    metric_label,
    number,
    percent,
)

Metrics = Mapping[str, Any]

PER_CLASS_METRICS = ("auroc", "sensitivity", "positive_predictive_value", "f1")
COMPARED_METRICS = ("auroc", "sensitivity", "specificity", "expected_calibration_error")
TESTED = (
    "Bold (in the terminal *): better than every other run, tested on the same tiles, p adjusted by "
    "Holm's method."
)
UNTESTED = (
    "Overlapping intervals do not test a difference: no test is made here; "
    "`histo evaluate RUN RUN` makes one."
)


@dataclass(frozen=True)
class Table:
    """A caption, a header and rows of texts; the first column names the row.

    Attributes:
        notes: Why a cell is a dash, and what else must be said below the table.
        best: Row and column of the cells that are shown to be the best of their column.
    """

    caption: str
    header: tuple[str, ...]
    rows: list[list[str]]
    notes: tuple[str, ...] = ()
    best: frozenset[tuple[int, int]] = frozenset()


def metrics_table(splits: Mapping[str, Metrics]) -> Table:
    """Each metric with its interval, one column per split.

    Args:
        splits: The content of ``metrics.json`` by split, in the order of the columns.
    """
    union = {name: None for metrics in splits.values() for name in metrics["metrics"]}
    rows = [
        [metric_label(name), *(estimate(each["metrics"].get(name)) for each in splits.values())]
        for name in in_order(union)
    ]
    notes = [
        note
        for split, metrics in splits.items()
        for note in reasons(split if len(splits) > 1 else None, metrics["metrics"])
    ]
    levels = [
        percent(each.get("confidence", 0.95), 0)
        for each in splits.values()
        if any(interval(entry) for entry in each["metrics"].values())
    ]
    if levels:
        notes.insert(0, f"In brackets: {' and '.join(dict.fromkeys(levels))} confidence interval.")
    return Table("Metrics", ("Metric", *splits), rows, tuple(notes))


def metric_cells(entries: Metrics, names: Sequence[str], *, with_intervals: bool) -> list[str]:
    """What a row shows of some metrics: values, with their intervals where there is room."""
    return [
        estimate(entries.get(each))
        if with_intervals
        else number((entries.get(each) or {}).get("value"))
        for each in names
    ]


def per_class_table(
    metrics: Metrics,
    names: Sequence[str] = PER_CLASS_METRICS,
    *,
    with_intervals: bool = True,
) -> Table:
    """One row per class, each class against all others.

    Args:
        metrics: The content of one ``metrics.json``.
        names: The metrics to show, as columns.
        with_intervals: False keeps the table within 80 columns.
    """
    matrix, per_class = metrics["confusion_matrix"], metrics.get("per_class") or {}
    rows, notes = [], []
    for position, name in enumerate(metrics["classes"]):
        entries = per_class.get(name) or {}
        tiles = sum(matrix[position]) if position < len(matrix) else None
        cells = metric_cells(entries, names, with_intervals=with_intervals)
        rows.append([str(name), count(tiles), *cells])
        notes += reasons(name, {each: entries[each] for each in names if each in entries})
    header = ("Class", "Tiles", *(metric_label(each) for each in names))
    return Table("Each class against all others", header, rows, tuple(notes))


def comparison_table(
    summaries: Sequence[RunSummary],
    names: Sequence[str] = COMPARED_METRICS,
    *,
    with_intervals: bool = True,
    comparison: Metrics | None = None,
) -> Table:
    """Several runs, one row each, each judged on its headline split (test, where there is one).

    Args:
        summaries: The runs, in the order of the rows.
        names: The metrics to show, as columns.
        with_intervals: False keeps the table within 80 columns.
        comparison: The content of ``comparison.json`` of these runs; without it nothing is marked.
    """
    rows, notes = [], []
    best: frozenset[tuple[int, int]] = frozenset()
    for summary in summaries:
        judged = summary.headline
        if judged is None:
            notes.append(f"{summary.name}: not evaluated; run `histo evaluate`.")
        entries = judged.metrics["metrics"] if judged else {}
        cells = metric_cells(entries, names, with_intervals=with_intervals)
        split = judged.split if judged else UNDEFINED
        tiles = count(judged.metrics.get("tiles")) if judged else UNDEFINED
        rows.append([summary.name, split, tiles, *cells])
    if len({_judged_on(summary) for summary in summaries}) > 1:
        notes.append("The runs were not all evaluated on the same tiles: do not rank them by this.")
    elif len(rows) > 1:
        tested = comparison is not None and is_current(comparison, summaries)
        notes.append(TESTED if tested else UNTESTED)
        if comparison is not None and tested:
            best = shown_best(comparison, [each.name for each in summaries], names)
        notes.append("The best of several runs looks better here than it will on new data.")
    header = ("Run", "Split", "Tiles", *(metric_label(each) for each in names))
    # Before the metrics stand the run, the split and the tiles.
    marked = frozenset((row, column + 3) for row, column in best)
    return Table("The runs side by side", header, rows, tuple(notes), marked)


def _judged_on(summary: RunSummary) -> tuple[object, ...]:
    """What must agree before two runs may be compared: data, split, tiles and classes."""
    data, judged = summary.record.inputs.get("data", {}), summary.headline
    if judged is None:
        return (data.get("sha256"),)
    metrics = judged.metrics
    return data.get("sha256"), judged.split, metrics.get("tiles"), tuple(metrics["classes"])


def confusion_table(metrics: Metrics) -> Table:
    """Counts of one split: true classes in rows, predicted in columns."""
    classes = [str(name) for name in metrics["classes"]]
    rows = [
        [name, *(count(cell) for cell in row)]
        for name, row in zip(classes, metrics["confusion_matrix"], strict=True)
    ]
    caption = f"Confusion matrix, {metrics.get('split', 'one')} split"
    return Table(caption, ("True \\ predicted", *classes), rows)


def calibration_table(splits: Mapping[str, Metrics]) -> Table | None:
    """Calibration before and after, one column per split; None where nothing was calibrated."""
    calibrated = {split: each.get("calibrated") or {} for split, each in splits.items()}
    if not any(calibrated.values()):
        return None
    rows = []
    for name in ("expected_calibration_error", "brier", "log_loss"):
        for moment, source in (
            ("as given", {split: each["metrics"] for split, each in splits.items()}),
            ("calibrated", calibrated),
        ):
            cells = [estimate(source[split].get(name)) for split in splits]
            rows.append([f"{metric_label(name)}, {moment}", *cells])
    note = "The calibration was fitted on the validation split; lower is better."
    return Table("Calibration", ("Measure", *splits), rows, (note,))


def reasons(prefix: str | None, entries: Mapping[str, Any]) -> list[str]:
    """Why a value is a dash, or stands without its interval: one line for each reason.

    Args:
        prefix: What the values are of, such as a split or a class.
        entries: The values, by the name of their metric.
    """
    names: dict[tuple[str, str], list[str]] = {}
    for name in in_order(entries):
        entry = entries[name]
        if not entry.get("reason") or interval(entry):
            continue
        state = "undefined" if entry.get("value") is None else "without an interval"
        names.setdefault((state, entry["reason"].rstrip(".")), []).append(metric_label(name))
    of = f" ({prefix})" if prefix else ""
    return [
        f"{', '.join(labels)}{of}: {state} ({reason})." for (state, reason), labels in names.items()
    ]
