"""The analyses that were asked for as tables of short texts, for terminal and page."""

from collections.abc import Callable, Mapping
from typing import Any

from histocli.report.sanity_tables import agreement_table, sanity_table
from histocli.report.tables import Table, reasons
from histocli.report.wording import count, estimate, metric_label, number, percent

Metrics = Mapping[str, Any]
PREDICTIVE_VALUES = ("positive_predictive_value", "negative_predictive_value")


def operating_points_table(metrics: Metrics) -> Table:
    """One row for each rule: its threshold, and what it does on this split."""
    rows, notes = [], []
    for point in metrics["operating_points"]:
        entries = point["metrics"]
        rows.append(
            [
                point["rule"],
                number(point["threshold"]),
                *(estimate(entries[name]) for name in ("sensitivity", "specificity")),
            ]
        )
        notes += _predictive_values(point)
    header = ("Rule", "Threshold", "Sensitivity", "Specificity")
    return Table("Thresholds chosen on the validation split", header, rows, tuple(notes))


def subgroups_table(metrics: Metrics) -> Table:
    """One row for each subgroup of each column."""
    rows, notes = [], []
    for column, section in metrics["subgroups"].items():
        for name, entry in section["subgroups"].items():
            mark = " (small)" if entry["warnings"] else ""
            rows.append(
                [
                    f"{column}: {name}{mark}",
                    count(entry["tiles"]),
                    estimate(entry["metrics"]["auroc"]),
                    estimate(entry["metrics"]["balanced_accuracy"]),
                ]
            )
        if section["left_out"]:
            notes.append(f"{column}: {count(section['left_out'])} rarer values are not shown.")
        gap = section["widest_gap"]
        if gap is not None:
            meet = "meet" if gap["intervals_overlap"] else "do not meet"
            notes.append(
                f"{column}: AUROC of {gap['best']} is {number(gap['auroc_difference'])} above that of "
                f"{gap['worst']}; the intervals {meet}."
            )
    header = ("Subgroup", "Tiles", "AUROC", "Balanced accuracy")
    return Table("Subgroups", header, rows, tuple(notes))


def aggregated_table(metrics: Metrics) -> Table:
    """One row for each way to aggregate tiles to groups."""
    rows, notes = [], []
    for method, entry in metrics["aggregated"].items():
        shown = {name: entry["metrics"][name] for name in ("auroc", "sensitivity", "specificity")}
        rows.append([method, count(entry["groups"]), *map(estimate, shown.values())])
        notes += reasons(method, shown)
    header = ("Groups scored by", "Groups", "AUROC", "Sensitivity", "Specificity")
    return Table("Slides or patients", header, rows, tuple(notes))


def stress_table(metrics: Metrics) -> Table:
    """One row for each perturbation: AUROC at each strength, from mild to severe."""
    rows = [
        [
            f"{name} ({entry['unit']})",
            *(
                f"{number(point['auroc']['value'])} at {point['strength']:g}"
                for point in entry["points"]
            ),
        ]
        for name, entry in metrics["stress"]["perturbations"].items()
    ]
    longest = max((len(row) for row in rows), default=1)
    padded = [row + [""] * (longest - len(row)) for row in rows]
    start = estimate(metrics["stress"]["auroc"])
    caption = f"AUROC under stress ({start} undisturbed, {count(metrics['stress']['tiles'])} tiles)"
    steps = [str(place) for place in range(1, longest)]
    if len(steps) > 1:
        steps = ["1, mild", *steps[1:-1], f"{steps[-1]}, severe"]
    return Table(caption, ("Perturbation", *steps), padded)


def conformal_table(metrics: Metrics) -> Table:
    """Sets of classes that hold the true one as often as promised: the coverage reached, and their size."""
    rows = [
        [
            f"{percent(entry['promised'], 0)}{' in each class' if entry['by_class'] else ''}",
            estimate(entry["coverage"]),
            estimate(entry["mean_size"]),
        ]
        for entry in metrics["conformal"]
    ]
    note = (
        "A set holds every class that the model does not rule out; it is calibrated on the validation "
        "split. A set of more than one class is a tile to be looked at."
    )
    return Table("Conformal sets", ("Promised", "Reached", "Classes in a set"), rows, (note,))


def selective_table(metrics: Metrics) -> Table:
    """What is left of the errors when the least certain tiles go to a person."""
    names = ("accuracy", "sensitivity", "specificity")
    rows = [
        [
            percent(entry["referred"], 0),
            count(entry["kept"]),
            *(estimate(entry["metrics"][name]) for name in names),
        ]
        for entry in metrics["selective"]["referred"]
    ]
    header = ("Referred", "Tiles kept", *(metric_label(name) for name in names))
    return Table("The least certain tiles referred to a person", header, rows)


def prevalence_table(metrics: Metrics) -> Table:
    """PPV and NPV of the stored operating point, here and where the class is as common as stated."""
    at, here = metrics["at_prevalence"], metrics["prevalence"][metrics["positive_class"]]
    rows = [
        [metric_label(name), estimate(metrics["metrics"][name]), estimate(at[name])]
        for name in PREDICTIVE_VALUES
    ]
    header = ("At a prevalence of", f"{percent(here)} (here)", percent(at["prevalence"]))
    return Table("Predictive values elsewhere", header, rows)


# By the key of `metrics.json` that they show.
ANALYSIS_TABLES: dict[str, Callable[[Metrics], Table]] = {
    "at_prevalence": prevalence_table,
    "operating_points": operating_points_table,
    "subgroups": subgroups_table,
    "aggregated": aggregated_table,
    "stress": stress_table,
}


def analysis_tables(metrics: Metrics) -> list[Table]:
    """Tables of what was asked for beyond the table of metrics, and of what stands beside every score."""
    tables = [table(metrics) for name, table in ANALYSIS_TABLES.items() if metrics.get(name)]
    if "agreement" in metrics["sanity"]:
        tables.append(agreement_table(metrics))
    return [*tables, sanity_table(metrics)]


def _predictive_values(point: Metrics) -> list[str]:
    """PPV and NPV on the split as it is, and where the class is as common as stated."""
    places = [("on this split", point["metrics"])]
    at = point.get("at_prevalence")
    if at is not None:
        places.append((f"at a prevalence of {percent(at['prevalence'])}", at))
    found = []
    for where, entries in places:
        positive, negative = (estimate(entries[name]) for name in PREDICTIVE_VALUES)
        found.append(f"{point['rule']}: {where} PPV is {positive}, NPV {negative}.")
    return found
