"""The decision curve: what acting on the model is worth, against treating all or none."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from histocli.report.style import (
    FAINT,
    INK,
    LEGEND_LINE,
    MUTED,
    SIDE,
    class_line,
    legend_below,
    split_title,
    written_figure,
)
from histocli.report.wording import number, percent, shortened


def decision_curve_figure(metrics: Mapping[str, Any], output: Path) -> Path:
    """Draw net benefit against the threshold probability.

    Args:
        metrics: The content of ``metrics.json``, with ``decision_curve``.
        output: The PNG file.

    Returns:
        ``output``.
    """
    section = metrics["decision_curve"]
    curves, thresholds = section["curves"], np.array(section["thresholds"])
    one = len(curves) == 1
    lines = len(curves) + 3
    with written_figure(output, SIDE, SIDE * 0.9 + LEGEND_LINE * lines) as figure:
        axes = figure.subplots()
        # Without a positive tile there is nothing to gain, but the axis needs a length.
        highest = max(0.01, *(each["prevalence"] for each in curves.values()))
        for position, (name, each) in enumerate(curves.items()):
            style = class_line(position)
            if one and each["model_low"] is not None:
                axes.fill_between(
                    thresholds,
                    each["model_low"],
                    each["model_high"],
                    color=style["color"],
                    alpha=0.18,
                    linewidth=0,
                )
            axes.plot(thresholds, each["model"], label=_label(name, each, one=one), **style)
            everyone = {"color": MUTED, "linestyle": "--"} if one else {**style, "linestyle": ":"}
            axes.plot(
                thresholds,
                each["treat_all"],
                linewidth=1.0,
                label=("call all positive" if one else "dotted: call all tiles so")
                if position == len(curves) - 1
                else None,
                **everyone,
            )
        axes.axhline(
            0, color=INK, linewidth=0.8, label="call none so" if not one else "call none positive"
        )
        axes.set(
            xlim=(0, 1),
            ylim=(-0.25 * highest, 1.08 * highest),
            xlabel="Threshold probability",
            ylabel="Net benefit per tile",
            title=split_title("Decision curve", metrics),
        )
        axes.grid(color=FAINT, linewidth=0.5)
        axes.set_axisbelow(True)
        shares = {percent(each["prevalence"], 1) for each in curves.values()}
        at = f", at a prevalence of {shares.pop()}" if len(shares) == 1 else ""
        which = (
            "Calibrated probabilities"
            if section["probabilities"] == "calibrated"
            else "Probabilities as given"
        )
        band = f", band: {percent(metrics['confidence'], 0)} interval" if one else ""
        legend_below(figure, axes, which + band + at)
    return output


def _label(name: str, curve: Mapping[str, Any], *, one: bool) -> str:
    if not one:
        return shortened(name)
    if not curve["better_than_both"]:
        return f"model for {shortened(name)}, nowhere best"
    low, high = max(curve["better_than_both"], key=lambda ends: float(ends[1] - ends[0]))
    return f"model for {shortened(name)}, best at {number(low, 2)} to {number(high, 2)}"
