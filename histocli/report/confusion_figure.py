"""The confusion matrix as a figure: counts, and the share of each true class."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from histocli.report.style import FAINT, INK, SIDE, split_title, written_figure
from histocli.report.wording import number, percent, shortened

# Up to so many classes a cell has room for an interval, too.
CLASSES_WITH_INTERVALS = 3
# Up to so many classes a cell has room for both count and share.
CLASSES_WITH_SHARES = 8
# Up to so many classes the names below the columns fit side by side.
CLASSES_ABREAST = 3
NAME_LENGTH = 14
# From this share on the blue is dark enough for white text.
DARK_SHARE = 0.7


def confusion_figure(metrics: Mapping[str, Any], output: Path) -> Path:
    """Draw true classes in rows, predicted classes in columns; each row is 100 %.

    Args:
        metrics: The content of one ``metrics.json``.
        output: The PNG file.

    Returns:
        ``output``.
    """
    matrix = np.array(metrics["confusion_matrix"], np.int64)
    totals = matrix.sum(axis=1)
    shares = matrix / np.maximum(totals, 1)[:, np.newaxis]
    names = [shortened(str(name), NAME_LENGTH) for name in metrics["classes"]]
    ticks = range(len(names))
    side = max(SIDE, 0.62 * len(names) + 1.6)
    with written_figure(output, side, side) as figure:
        axes = figure.subplots()
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        axes.set(title=split_title("Confusion matrix", metrics))
        axes.set(xlabel="Predicted class", ylabel="True class (each row is 100 %)")
        turned = len(names) > CLASSES_ABREAST
        axes.set_xticks(ticks, names)
        axes.tick_params(axis="x", rotation=35 if turned else 0)
        for label in axes.get_xticklabels():
            label.set(ha="right" if turned else "center", rotation_mode="anchor")
        axes.set_yticks(
            ticks, [f"{name}\n{total:,}" for name, total in zip(names, totals, strict=True)]
        )
        axes.tick_params(length=0, labelcolor=INK)
        axes.spines[:].set_visible(False)
        axes.set_xticks(np.arange(1, len(names)) - 0.5, minor=True)
        axes.set_yticks(np.arange(1, len(names)) - 0.5, minor=True)
        axes.grid(which="minor", color=FAINT, linewidth=1)
        axes.tick_params(which="minor", length=0)
        for row, column in np.ndindex(*matrix.shape):
            text = f"{matrix[row, column]:,}"
            if len(names) <= CLASSES_WITH_SHARES and totals[row]:
                text += f"\n{percent(shares[row, column])}"
            if len(names) <= CLASSES_WITH_INTERVALS:
                text += _interval(metrics, row, column)
            color = "white" if shares[row, column] > DARK_SHARE else INK
            axes.text(column, row, text, ha="center", va="center", color=color, fontsize=8)
    return output


def _interval(metrics: Mapping[str, Any], row: int, column: int) -> str:
    shares = metrics.get("confusion_shares") or {}
    low, high = (shares.get(bound, {}) for bound in ("ci_low", "ci_high"))
    if not low or low[row][column] is None:
        return ""
    return f"\n({number(100 * low[row][column], 1)} to {percent(high[row][column])})"
