"""AUROC of each subgroup, one below the other, against that of all tiles."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from histocli.report.style import BLUE, FAINT, INK, MUTED, SIDE, split_title, written_figure
from histocli.report.wording import count, estimate, percent, shortened

ROW = 0.24
MOST_ROWS = 40


def subgroup_figure(metrics: Mapping[str, Any], output: Path) -> Path:
    """Draw a forest of subgroups, column by column; hollow marks are small subgroups.

    Args:
        metrics: The content of ``metrics.json``, with ``subgroups``.
        output: The PNG file.

    Returns:
        ``output``.
    """
    rows: list[tuple[str, Mapping[str, Any] | None]] = []
    for column, section in metrics["subgroups"].items():
        rows.append((column, None))
        rows += list(section["subgroups"].items())
    rows = rows[:MOST_ROWS]
    overall = metrics["metrics"]["auroc"]
    with written_figure(output, SIDE * 1.6, 1.3 + ROW * len(rows)) as figure:
        axes = figure.subplots()
        values = axes.twinx()
        labels, estimates = [], []
        for place, (name, entry) in enumerate(rows):
            labels.append(name if entry is None else f"{shortened(name)} ({count(entry['tiles'])})")
            record = None if entry is None else entry["metrics"]["auroc"]
            estimates.append("" if entry is None else estimate(record))
            if entry is None or record is None or record["value"] is None:
                continue
            if record["ci_low"] is not None:
                axes.plot(
                    [record["ci_low"], record["ci_high"]], [place] * 2, color=BLUE, linewidth=1.2
                )
            face = "white" if entry["warnings"] else BLUE
            axes.plot(record["value"], place, "o", color=BLUE, markerfacecolor=face)
        if overall["value"] is not None:
            axes.axvline(overall["value"], color=MUTED, linewidth=0.9, linestyle=":")
        for side, texts in ((axes, labels), (values, estimates)):
            side.set(ylim=(len(rows) - 0.5, -0.5))
            side.set_yticks(range(len(rows)), texts, color=INK)
            side.tick_params(axis="y", length=0)
            side.spines[["left", "right", "top"]].set_visible(False)
        for text, (_, entry) in zip(axes.get_yticklabels(), rows, strict=True):
            text.set_fontweight("bold" if entry is None else "normal")
        axes.grid(axis="x", color=FAINT, linewidth=0.5)
        axes.set_axisbelow(True)
        axes.set(title=split_title("Subgroups", metrics))
        axes.set_xlabel(
            f"AUROC; bars: {percent(metrics['confidence'], 0)} interval; dotted: all tiles; "
            "hollow: small subgroup",
            fontsize=8,
        )
    return output
