"""Results as tables of short texts: the terminal and the page print the same cells."""

from collections.abc import Mapping, Sequence, Sized
from dataclasses import dataclass
from typing import Any

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


@dataclass(frozen=True)
class Table:
    """A caption, a header and rows of texts; the first column names the row.

    Attributes:
        notes: Why a cell is a dash, and what else must be said below the table.
    """

    caption: str
    header: tuple[str, ...]
    rows: list[list[str]]
    notes: tuple[str, ...] = ()


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
        for note in _reasons(split if len(splits) > 1 else None, metrics["metrics"])
    ]
    if any(interval(entry) for each in splits.values() for entry in each["metrics"].values()):
        notes.insert(0, "In brackets: 95 % confidence interval.")
    return Table("Metrics", ("Metric", *splits), rows, tuple(notes))


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
        cells = [
            estimate(entries.get(each))
            if with_intervals
            else number((entries.get(each) or {}).get("value"))
            for each in names
        ]
        rows.append([str(name), count(tiles), *cells])
        notes += _reasons(name, {each: entries[each] for each in names if each in entries})
    header = ("Class", "Tiles", *(metric_label(each) for each in names))
    return Table("Each class against all others", header, rows, tuple(notes))


def comparison_table(
    summaries: Sequence[RunSummary],
    names: Sequence[str] = COMPARED_METRICS,
    *,
    with_intervals: bool = True,
) -> Table:
    """Several runs, one row each, each judged on its headline split (test, where there is one).

    Args:
        summaries: The runs, in the order of the rows.
        names: The metrics to show, as columns.
        with_intervals: False keeps the table within 80 columns.
    """
    rows, notes = [], []
    for summary in summaries:
        judged = summary.headline
        if judged is None:
            notes.append(f"{summary.name}: not evaluated; run `histo evaluate`.")
        entries = judged.metrics["metrics"] if judged else {}
        cells = [
            estimate(entries.get(each))
            if with_intervals
            else number((entries.get(each) or {}).get("value"))
            for each in names
        ]
        split = judged.split if judged else UNDEFINED
        tiles = count(judged.metrics.get("tiles")) if judged else UNDEFINED
        rows.append([summary.name, split, tiles, *cells])
    sets = {(row[1], row[2]) for row in rows}
    if len(sets) > 1:
        notes.append("The runs were not all evaluated on the same tiles: do not rank them by this.")
    elif len(rows) > 1:
        notes.append("Overlapping intervals do not test a difference: no test is made here.")
    header = ("Run", "Split", "Tiles", *(metric_label(each) for each in names))
    return Table("The runs side by side", header, rows, tuple(notes))


def data_table(summary: RunSummary) -> Table:
    """Tiles per class and split of the data that the run was given, and groups per split."""
    splits = summary.record.results.get("splits") or {}
    groups = summary.record.results.get("groups") or {}
    names = [*summary.classes]
    names += [each for tiles in splits.values() for each in tiles if each not in names]
    rows = [[each, *(count(tiles.get(each, 0)) for tiles in splits.values())] for each in names]
    if splits:
        rows.append(["All tiles", *(count(sum(tiles.values())) for tiles in splits.values())])
    if any(split in groups for split in splits):
        rows.append(["Groups", *(_group_count(groups.get(split)) for split in splits)])
    return Table("Tiles per class and split", ("Class", *splits), rows)


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
    note = "The temperature was fitted on the validation split; lower is better."
    return Table("Calibration", ("", *splits), rows, (note,))


def attention_table(attention: Mapping[str, Any]) -> Table:
    """Share of the attention inside the labeled center, by true class."""
    rows = []
    for name, measured in (attention.get("groups") or {}).items():
        enrichment = number((measured.get("enrichment") or {}).get("value"), 2)
        rows.append(
            [
                str(name),
                count(measured.get("n")),
                estimate(measured.get("center_share")),
                number(measured.get("outside_share")),
                UNDEFINED if enrichment == UNDEFINED else f"{enrichment} \N{MULTIPLICATION SIGN}",
            ]
        )
    levels = [
        (attention.get("chance_share"), "a map that looks everywhere alike (chance)"),
        (attention.get("ceiling_share"), "the best that a map this coarse can reach (ceiling)"),
    ]
    notes = tuple(f"{percent(share)}: {text}." for share, text in levels if share is not None)
    header = ("Class", "Tiles", "In the center", "Outside", "Enrichment")
    return Table("Where the model looks", header, rows, notes)


def provenance_table(summary: RunSummary) -> Table:
    """Everything needed to name, and to repeat, the run."""
    record = summary.record
    rows = [
        ["Run", summary.name],
        ["State", record.state],
        ["Command line", " ".join(record.command_line)],
        ["Started", record.started],
        ["Finished", record.finished or UNDEFINED],
        ["Seed", str(record.seed)],
        ["Device", record.device],
        ["histocli", record.version],
        ["Git commit", record.git_commit or "not a checkout"],
        ["Python", record.python],
        ["Platform", record.platform],
    ]
    rows += [[name, version] for name, version in record.packages.items()]
    for role, facts in record.inputs.items():
        rows += [[f"Input {role}: {key}", count(value)] for key, value in facts.items()]
    return Table("Provenance", ("What", "Value"), rows)


def settings_table(summary: RunSummary) -> Table:
    """The settings that change the run's results, one row each."""
    rows = []
    for name, value in summary.record.settings.items():
        nested = value if isinstance(value, Mapping) else None
        if nested is None:
            rows.append([name, _setting(value)])
        else:
            rows += [[f"{name}.{key}", _setting(each)] for key, each in nested.items()]
    return Table("Settings", ("Setting", "Value"), rows)


def _setting(value: object) -> str:
    if value is None:
        return UNDEFINED
    return ", ".join(str(each) for each in value) if isinstance(value, list) else str(value)


def _group_count(groups: object) -> str:
    return count(len(groups) if isinstance(groups, Sized) else groups)


def _reasons(prefix: str | None, entries: Mapping[str, Any]) -> list[str]:
    of = f" ({prefix})" if prefix else ""
    return [
        f"{metric_label(name)}{of} is undefined: {entry['reason'].rstrip('.')}."
        for name in in_order(entries)
        if (entry := entries[name]).get("value") is None and entry.get("reason")
    ]
