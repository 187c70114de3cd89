"""A forest of differences between runs: which intervals leave out zero."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes

from histocli.report.difference_table import OF_MANY_PAIRS, run_letters
from histocli.report.style import BLUE, FAINT, INK, MUTED, VERMILLION, legend_below, written_figure
from histocli.report.wording import metric_label, p_text, percent, shortened

# Inches: a row, what stands above and below the rows, and the whole width.
ROW, MARGIN, WIDTH = 0.24, 1.7, 6.4


def difference_figure(comparison: Mapping[str, Any], output: Path) -> Path:
    """Draw each difference with its interval, and beside it the adjusted p-value.

    Args:
        comparison: The content of ``comparison.json``.
        output: The PNG file.
    """
    letters, pairs = run_letters(comparison["runs"]), comparison["pairs"]
    rows = [
        (f"{letters[pair['runs'][0]]} \N{MINUS SIGN} {letters[pair['runs'][1]]}", pair, name)
        for name in pairs[0]["metrics"]
        if len(pairs) == 1 or name in OF_MANY_PAIRS
        for pair in pairs
    ]
    labels = [
        metric_label(name) if len(pairs) == 1 else f"{metric_label(name)}, {between}"
        for between, _, name in rows
    ]
    height = MARGIN + ROW * len(rows) + 0.16 * len(letters)
    with written_figure(output, WIDTH, height) as figure:
        axes = figure.subplots()
        for position, (_, pair, name) in enumerate(rows):
            _draw(axes, position, pair["metrics"][name])
        axes.axvline(0, color=INK, linewidth=0.8)
        axes.set_yticks(range(len(rows)), labels)
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.tick_params(axis="y", length=0, labelcolor=INK)
        axes.grid(axis="x", color=FAINT, linewidth=0.5)
        axes.set_axisbelow(True)
        between = "A \N{MINUS SIGN} B" if len(pairs) == 1 else "first \N{MINUS SIGN} second"
        level = percent(comparison["confidence"], 0)
        axes.set_xlabel(f"Difference, {between}, with {level} interval")
        axes.set_title(
            f"Runs on the same {comparison['tiles']:,} tiles, {comparison['split']} split"
        )
        _explain(axes, has_groups=comparison["groups"] is not None)
        named = "\n".join(f"{letter}: {shortened(run, 80)}" for run, letter in letters.items())
        legend_below(figure, axes, f"{named}\nBrier score, ECE, log loss: lower is better")
    return output


def _draw(axes: Axes, position: int, record: Mapping[str, Any]) -> None:
    if record["difference"] is None:
        axes.annotate("undefined", (0, position), color=MUTED, fontsize=8, va="center")
        return
    color = VERMILLION if record["better"] else BLUE
    low, high = record["ci_low"], record["ci_high"]
    loose = record.get("ci_unclustered")
    if loose is not None and loose[0] is not None:
        axes.plot(loose, [position + 0.24] * 2, color=MUTED, linewidth=0.9)
    if low is not None:
        axes.plot([low, high], [position] * 2, color=color, linewidth=2)
    filled = color if record["better"] else "white"
    axes.plot(
        record["difference"], position, "o", color=color, markerfacecolor=filled, markersize=5.5
    )
    axes.annotate(
        f"p {p_text(record['p_holm'])}",
        (1.01, position),
        xycoords=("axes fraction", "data"),
        fontsize=8,
        color=INK if record["better"] else MUTED,
        va="center",
        annotation_clip=False,
    )


def _explain(axes: Axes, *, has_groups: bool) -> None:
    axes.plot([], [], "o-", color=VERMILLION, linewidth=2, label="real difference")
    axes.plot(
        [], [], "o-", color=BLUE, markerfacecolor="white", linewidth=2, label="not shown to be real"
    )
    if has_groups:
        axes.plot([], [], color=MUTED, linewidth=0.9, label="if tiles were independent")
