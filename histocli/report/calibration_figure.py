"""The reliability diagram: does what the model calls 80 % come true 80 times in 100?"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from histocli.metrics.calibration import ReliabilityBins, reliability_bins
from histocli.metrics.definitions.arrays import BoolArray, FloatArray
from histocli.metrics.labelled import Labelled
from histocli.predictions import Predictions
from histocli.report.style import (
    BLUE,
    FAINT,
    LEGEND_LINE,
    MUTED,
    SIDE,
    VERMILLION,
    legend_below,
    split_title,
    unit_square,
    written_figure,
)
from histocli.report.wording import metric_label, number, percent, shortened

ERROR = "expected_calibration_error"


@dataclass(frozen=True)
class _Series:
    """One set of probabilities: raw, or calibrated."""

    name: str
    color: str
    marker: str
    bins: ReliabilityBins


def calibration_figure(predictions: Predictions, metrics: Mapping[str, Any], output: Path) -> Path:
    """Draw the observed share against the probability, and below how many tiles say so.

    Of two classes the positive one's probability is judged, of more the most probable one's.

    Args:
        predictions: Of one split; tiles without a label are left out.
        metrics: The content of ``metrics.json`` of the same split.
        output: The PNG file.

    Returns:
        ``output``.
    """
    positive = metrics.get("positive_class")
    tiles = Labelled.of(predictions, positive or predictions.classes[0])
    confidence = metrics.get("confidence", 0.95)
    series = _series(tiles, metrics, confidence)
    what = (
        "Confidence in the predicted class"
        if positive is None
        else f"Probability of {shortened(positive)}"
    )
    bins = len(series[0].bins.count)
    with written_figure(output, SIDE, SIDE * 1.2 + LEGEND_LINE * (len(series) + 2)) as figure:
        above, below = figure.subplots(2, 1, height_ratios=[4, 1])
        unit_square(above, "", "Observed share", split_title("Calibration", metrics))
        above.set_aspect("auto")  # so that both panels share one width
        for position, each in enumerate(series):
            _draw_bins(above, each)
            fill = {"fill": True, "color": FAINT} if position == 0 else {"color": each.color}
            below.stairs(each.bins.count, np.linspace(0, 1, bins + 1), **fill)
        above.plot([0, 1], [0, 1], color=MUTED, linewidth=0.9, linestyle=":", label="perfect")
        below.set(xlim=(-0.01, 1.01), ylabel="Tiles", xlabel=what)
        below.yaxis.set_major_locator(MaxNLocator(2, integer=True))
        below.yaxis.set_major_formatter("{x:,.0f}")
        whose = "Wilson intervals" if tiles.clusters is None else "intervals over groups"
        title = f"{bins} bins of equal width; bars: {percent(confidence, 0)} {whose}"
        legend_below(figure, above, title)
    return output


def _series(tiles: Labelled, metrics: Mapping[str, Any], confidence: float) -> list[_Series]:
    raw, calibrated = metrics["metrics"], metrics.get("calibrated") or {}
    found = [
        _Series(
            f"as the model gives it{_error(raw)}",
            BLUE,
            "o",
            _bins(tiles, tiles.probabilities, confidence),
        )
    ]
    if tiles.calibrated is not None:
        bins = _bins(tiles, tiles.calibrated, confidence)
        found.append(_Series(f"calibrated{_error(calibrated)}", VERMILLION, "s", bins))
    return found


def _bins(tiles: Labelled, table: FloatArray, confidence: float) -> ReliabilityBins:
    outcomes: BoolArray
    if tiles.positive_index is None:
        outcomes, said = tiles.labels == table.argmax(axis=1), table.max(axis=1)
    else:
        outcomes, said = tiles.is_class(tiles.positive_index), table[:, tiles.positive_index]
    return reliability_bins(outcomes, said, interval_confidence=confidence, clusters=tiles.clusters)


def _error(metrics: Mapping[str, Any]) -> str:
    value = (metrics.get(ERROR) or {}).get("value")
    return "" if value is None else f", {metric_label(ERROR)} {number(value)}"


def _draw_bins(axes: Axes, series: _Series) -> None:
    filled = series.bins.count > 0
    x, y = series.bins.mean_confidence[filled], series.bins.observed_frequency[filled]
    low, high = series.bins.ci_low[filled], series.bins.ci_high[filled]
    axes.errorbar(
        x,
        y,
        # The bounds of nought and of all are exact; rounding must not make a bar negative.
        yerr=np.maximum(0, [y - low, high - y]),
        color=series.color,
        marker=series.marker,
        markersize=4,
        linewidth=1.2,
        elinewidth=0.8,
        label=series.name,
    )
