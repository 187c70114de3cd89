"""Risk and coverage: the error that is left when the least certain tiles go to a person."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.ticker import PercentFormatter

from histocli.report.style import (
    BLUE,
    FAINT,
    INK,
    LEGEND_LINE,
    MUTED,
    SIDE,
    legend_below,
    split_title,
    written_figure,
)
from histocli.report.wording import estimate, percent


def selective_figure(metrics: Mapping[str, Any], output: Path) -> Path:
    """Draw the share of errors among the tiles that are kept against the share that is referred.

    Args:
        metrics: The content of ``metrics.json``, with ``selective``.
        output: The PNG file.

    Returns:
        ``output``.
    """
    section = metrics["selective"]
    referred = 1 - np.array(section["curve"]["coverage"])
    risk = np.array(section["curve"]["risk"])
    error = float(risk[-1])
    with written_figure(output, SIDE, SIDE * 0.8 + LEGEND_LINE * 4) as figure:
        axes = figure.subplots()
        area = estimate(section["area_under_risk_coverage"])
        axes.plot(referred, risk, color=BLUE, label=f"least certain first, AURC {area}")
        rows = [
            row for row in section["referred"] if row["metrics"]["accuracy"]["ci_low"] is not None
        ]
        values = np.array([1 - row["metrics"]["accuracy"]["value"] for row in rows])
        low = np.array([1 - row["metrics"]["accuracy"]["ci_high"] for row in rows])
        high = np.array([1 - row["metrics"]["accuracy"]["ci_low"] for row in rows])
        axes.errorbar(
            [row["referred"] for row in rows],
            values,
            yerr=np.maximum(0, [values - low, high - values]),
            fmt="o",
            markersize=4,
            color=INK,
            elinewidth=0.8,
            capsize=2,
            label=f"with its {percent(metrics['confidence'], 0)} interval",
        )
        axes.axhline(error, color=MUTED, linewidth=0.9, linestyle=":", label="any tiles, at random")
        top = max(error, float(high.max(initial=0.0)))
        axes.set(
            xlim=(-0.01, 1.01),
            ylim=(0, 1.08 * top if top > 0 else 0.1),
            xlabel="Tiles referred to a person",
            ylabel="Errors among the tiles kept",
            title=split_title("Selective prediction", metrics),
        )
        axes.xaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
        axes.yaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
        axes.grid(color=FAINT, linewidth=0.5)
        axes.set_axisbelow(True)
        legend_below(figure, axes, f"Certainty: {section['certainty']}")
    return output
