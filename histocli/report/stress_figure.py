"""AUROC against the strength of each disturbance, side by side on one scale."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from histocli.report.style import BLUE, FAINT, MUTED, SIDE, written_figure
from histocli.report.wording import estimate, percent

COLUMNS = 3
TITLES = {
    "stain": "Stain strength",
    "blur": "Blur",
    "jpeg": "JPEG",
    "brightness": "Brightness",
    "noise": "Noise",
    "rotation": "Rotation",
}


def stress_figure(metrics: Mapping[str, Any], output: Path) -> Path:
    """Draw one panel for each perturbation, from mild to severe.

    Args:
        metrics: The content of ``metrics.json``, with ``stress``.
        output: The PNG file.

    Returns:
        ``output``.
    """
    section = metrics["stress"]
    found = section["perturbations"]
    rows = -(-len(found) // COLUMNS)
    with written_figure(output, SIDE * 1.75, 0.55 + 1.95 * rows) as figure:
        panels = figure.subplots(rows, COLUMNS, sharey=True, squeeze=False)
        for axes, (name, entry) in zip(panels.flat, found.items(), strict=False):
            _draw(axes, name, entry, section["auroc"]["value"])
        for axes in panels.flat[len(found) :]:
            axes.axis("off")
        for axes in panels[:, 0]:
            axes.set_ylabel("AUROC")
        start = estimate(section["auroc"])
        figure.suptitle(
            f"Stress, {metrics['split']} split ({section['tiles']:,} tiles, undisturbed AUROC {start})\n"
            f"Dotted: undisturbed; bars: {percent(metrics['confidence'], 0)} interval",
            x=0.01,
            ha="left",
            fontsize=9,
        )
    return output


def _draw(axes: Axes, name: str, entry: Mapping[str, Any], start: float | None) -> None:
    points = [point for point in entry["points"] if point["auroc"]["value"] is not None]
    places = np.arange(len(points))
    values = np.array([point["auroc"]["value"] for point in points])
    bounds = np.array(
        [
            [point["auroc"]["ci_low"], point["auroc"]["ci_high"]]
            if point["auroc"]["ci_low"] is not None
            else [point["auroc"]["value"]] * 2
            for point in points
        ]
    ).reshape(-1, 2)
    axes.errorbar(
        places,
        values,
        yerr=np.maximum(0, [values - bounds[:, 0], bounds[:, 1] - values]),
        color=BLUE,
        marker="o",
        markersize=4,
        linewidth=1.2,
        elinewidth=0.8,
        capsize=2,
    )
    if start is not None:
        axes.axhline(start, color=MUTED, linewidth=0.9, linestyle=":")
    axes.set_title(TITLES.get(name, name.capitalize()), fontsize=9)
    axes.set_xticks(places, [_strength(point["strength"], entry["unit"]) for point in points])
    axes.set_xlabel("" if entry["unit"] == "share" else entry["unit"], fontsize=8)
    axes.set_xlim(-0.4, len(points) - 0.6)
    axes.grid(axis="y", color=FAINT, linewidth=0.5)
    axes.set_axisbelow(True)


def _strength(value: float, unit: str) -> str:
    return f"\N{PLUS-MINUS SIGN}{100 * value:g} %" if unit == "share" else f"{value:g}"
