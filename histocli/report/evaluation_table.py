"""The table of one evaluation: each metric with its interval, and without regard to groups."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from histocli.report.tables import Table, metrics_table
from histocli.report.wording import UNDEFINED, in_order, interval


def evaluation_table(metrics: Mapping[str, Any]) -> Table:
    """Each metric with its interval; where groups are known, also as if tiles were independent.

    Args:
        metrics: The content of ``metrics.json``.
    """
    table = metrics_table({metrics["split"]: metrics})
    if metrics["groups"] is None:
        return table
    entries = metrics["metrics"]
    loose = [
        dict(zip(("ci_low", "ci_high"), entries[name]["ci_unclustered"], strict=True))
        for name in in_order(entries)
    ]
    rows = [
        [*row, interval(bounds) or UNDEFINED] for row, bounds in zip(table.rows, loose, strict=True)
    ]
    notes = (*table.notes, f"Intervals over {metrics['groups']:,} groups, whose tiles are alike.")
    return replace(
        table, header=(*table.header, "if tiles were independent"), rows=rows, notes=notes
    )
