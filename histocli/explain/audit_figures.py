"""Figures of an audit: deletion and insertion, and what is left of the maps without the weights."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from histocli.explain.drawing import FAINT, INK, LINE_COLORS, MUTED, written_figure
from histocli.explain.methods import METHODS
from histocli.explain.verdict import ALIKE

FAITHFULNESS, SANITY = "faithfulness.png", "sanity.png"
# In the order of the colors.
BASELINE_NAMES = {"random": "random", "sobel": "edges (Sobel)", "center": "center"}
LINES = ("-", "--", ":", "-.")


def write_audit_figures(output: Path, audit: Mapping[str, Any], method: str) -> None:
    """Draw ``faithfulness.png`` and ``sanity.png``.

    Args:
        output: Folder of the explanation.
        audit: As ``attention.json`` has it.
        method: A key of ``METHODS``.
    """
    _write_curves(output / FAITHFULNESS, audit["faithfulness"], method)
    _write_sanity(output / SANITY, audit["sanity"], METHODS[method])


def _write_curves(path: Path, found: Mapping[str, Any], method: str) -> None:
    shares = [100 * share for share in found["curves"]["shares"]]
    titles = {
        "deletion": "Deletion: lower is better",
        "insertion": "Insertion: higher is better",
    }
    names = {method: METHODS[method], **BASELINE_NAMES}
    changed = {"deletion": "blurred", "insertion": "made sharp"}
    with written_figure(path, 8.2, 4.2, layout="constrained") as figure:
        panels = figure.subplots(1, 2, sharey=True)
        for axes, (measure, title) in zip(panels, titles.items(), strict=True):
            for position, (name, values) in enumerate(found["curves"][measure].items()):
                area = found["measures"][measure]["maps"][name]["value"]
                axes.plot(
                    shares,
                    values,
                    color=LINE_COLORS[position],
                    linestyle=LINES[position],
                    linewidth=2.2 if name == method else 1.4,
                    label=f"{names[name]} (area {area:.3f})",
                )
            axes.set(xlim=(0, 100), ylim=(0, 1.02), title=title)
            axes.set_xlabel(f"pixels {changed[measure]}, strongest first (%)")
            axes.grid(color=FAINT, linewidth=0.5)
            axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.17), ncols=2)
        panels[0].set_ylabel(f"mean probability, {found['tiles']} tiles")


def _write_sanity(path: Path, found: Mapping[str, Any], method: str) -> None:
    stages = found["weight_randomization"]
    with written_figure(path, 6.4, 3.8, layout="constrained") as figure:
        axes = figure.subplots()
        shares = [0.0, *(100 * stage["layers"] for stage in stages)]
        values = [1.0, *(stage["similarity"]["value"] for stage in stages)]
        axes.plot(shares, values, color=LINE_COLORS[0], marker="o", label="random weights")
        lows = [stage["similarity"]["ci_low"] for stage in stages]
        highs = [stage["similarity"]["ci_high"] for stage in stages]
        axes.fill_between(shares, [1, *lows], [1, *highs], color=LINE_COLORS[0], alpha=0.15)
        levels = {
            "turned tiles": found["equivariance"]["value"],
            "different tiles": found["other_tiles"]["value"],
        }
        if "shuffled_labels" in found:
            levels["model of shuffled labels"] = found["shuffled_labels"]["value"]
        for position, (name, value) in enumerate(levels.items(), 1):
            axes.axhline(value, color=LINE_COLORS[position], linestyle=LINES[position], label=name)
        axes.axhline(ALIKE, color=MUTED, linewidth=0.8)
        axes.text(100, ALIKE + 0.015, "alike above", ha="right", color=MUTED, fontsize=8)
        lowest = min([0.0, *values, *levels.values(), *(low for low in lows if math.isfinite(low))])
        axes.set(xlim=(0, 100), ylim=(lowest - 0.05, 1.05))
        axes.set_title(f"What is left of the maps of {method}", color=INK)
        axes.set_xlabel("layers with random weights, from the output on (%)")
        axes.set_ylabel("rank correlation with the maps")
        axes.grid(color=FAINT, linewidth=0.5)
        figure.legend(loc="outside lower left", ncols=4)
