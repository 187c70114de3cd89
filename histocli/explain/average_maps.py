"""Average maps by true class and outcome: where the model looks when it is right, and when it is wrong."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from histocli.explain.drawing import COLORMAP, CORRECT, FRAME, MUTED, WRONG, written_figure
from histocli.explain.record import ExplainedTile
from histocli.explain.scores.center import CenterBox

# Inches.
PANEL, CAPTION, EDGE = 1.9, 0.5, 0.9
OUTCOMES = ((True, "correct", CORRECT), (False, "wrong", WRONG))


class AverageMaps:
    """Sums of maps of one size, each scaled to mass 1 so that sure tiles do not outvote the others."""

    def __init__(self) -> None:
        self._sums: dict[tuple[str, bool, tuple[int, int]], NDArray[np.float64]] = {}
        self._counts: dict[tuple[str, bool, tuple[int, int]], int] = {}

    def add(self, tile: ExplainedTile, values: NDArray[np.float64]) -> None:
        """Count a tile's map in; an empty one says nothing."""
        if tile.is_empty:
            return
        key = (tile.label or "", tile.is_correct, tile.size_px)
        self._sums[key] = self._sums.get(key, np.zeros(tile.size_px)) + values / values.sum()
        self._counts[key] = self._counts.get(key, 0) + 1

    def of(
        self, label: str, size_px: tuple[int, int], *, correct: bool
    ) -> tuple[NDArray[np.float64], int] | None:
        """The mean map in units of chance, and of how many tiles; None without any."""
        key = (label, correct, size_px)
        if key not in self._counts:
            return None
        count = self._counts[key]
        return self._sums[key] / count * (size_px[0] * size_px[1]), count


def write_average_maps(
    path: Path, averages: AverageMaps, classes: Sequence[str], result: Mapping[str, Any]
) -> None:
    """Draw a row for each outcome and a column for each class.

    Args:
        path: The PNG file.
        averages: What to draw.
        classes: Of the model.
        result: Content of ``attention.json``.
    """
    height, width = result["tile_size_px"]
    found = {
        (label, correct): averages.of(label, (height, width), correct=correct)
        for label in classes
        for correct, _, _ in OUTCOMES
    }
    highest = max([1.0, *(float(each[0].max()) for each in found.values() if each is not None)])
    # A row of outcomes that never happened would be empty.
    outcomes = [each for each in OUTCOMES if any(found[label, each[0]] for label in classes)]
    outcomes = outcomes or list(OUTCOMES[:1])
    size = (max(2, len(classes)) * PANEL + EDGE + 0.8, len(outcomes) * (PANEL + CAPTION) + 0.8)
    box = CenterBox.of(height, width, int(result["center_px"]))
    with written_figure(path, *size, layout="constrained") as figure:
        figure.suptitle(
            "Average attention, in units of chance", x=0.02, ha="left", fontweight="bold"
        )
        grid = figure.subplots(len(outcomes), len(classes), squeeze=False)
        for row, (correct, word, color) in enumerate(outcomes):
            for column, label in enumerate(classes):
                axes, entry = grid[row, column], found[label, correct]
                axes.set_xticks([])
                axes.set_yticks([])
                for spine in axes.spines.values():
                    spine.set(color=FRAME, visible=True)
                count = 0 if entry is None else entry[1]
                axes.set_title(f"{label}, {word} ({count})", fontsize=8, color=color)
                shown = np.zeros((height, width)) if entry is None else entry[0]
                axes.imshow(shown, cmap=COLORMAP, vmin=0, vmax=highest)
                if entry is None:
                    axes.set_facecolor("white")
                    axes.images[0].set_visible(False)
                    axes.text(
                        0.5, 0.5, "no tile", ha="center", color=MUTED, transform=axes.transAxes
                    )
                    continue
                corner = (box.left - 0.5, box.top - 0.5)
                extent = (box.right - box.left, box.bottom - box.top)
                for edge, line in (("black", 2.4), ("white", 1.1)):
                    axes.add_patch(
                        Rectangle(corner, *extent, fill=False, edgecolor=edge, linewidth=line)
                    )
        scale = figure.colorbar(
            ScalarMappable(Normalize(0, highest), COLORMAP), ax=grid, shrink=0.7, pad=0.02
        )
        scale.outline.set_visible(False)
        scale.set_label("times chance", color=MUTED)
