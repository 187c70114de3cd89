"""How every figure looks: declared once, safe for color-blind readers, legible in print."""

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from histocli.atomic_files import write_bytes

# Okabe and Ito's palette without its yellow, which is too light for lines on white.
BLUE, VERMILLION, GREEN = "#0072B2", "#D55E00", "#009E73"
CLASS_COLORS = (BLUE, VERMILLION, GREEN, "#CC79A7", "#E69F00", "#56B4E9", "#000000")
LINE_STYLES = ("-", "--", ":", "-.")
INK, MUTED, FAINT = "#1a1a1a", "#595959", "#d9d9d9"

STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "text.color": INK,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.labelsize": 9,
    "axes.linewidth": 0.8,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.unicode_minus": True,
    "figure.facecolor": "white",
    "legend.fontsize": 8,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "lines.markersize": 5,
    "savefig.facecolor": "white",
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "text.parse_math": False,
}
DOTS_PER_INCH = 200
# Inches: the side of a figure, and a line of the legend below it.
SIDE, LEGEND_LINE = 4.2, 0.19


@contextmanager
def written_figure(output: Path, width: float, height: float) -> Iterator[Figure]:
    """Yield an empty figure; afterwards it is written, whole, with the same bytes each time.

    Args:
        output: The PNG file.
        width: In inches.
        height: In inches.
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        yield figure
        content = io.BytesIO()
        figure.savefig(content, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None})
    write_bytes(output, content.getvalue())


def class_line(position: int) -> dict[str, Any]:
    """Color and line style of a class: no two alike among the first 28."""
    color = CLASS_COLORS[position % len(CLASS_COLORS)]
    return {"color": color, "linestyle": LINE_STYLES[position // len(CLASS_COLORS) % 4]}


def unit_square(axes: Axes, x_label: str, y_label: str, title: str) -> None:
    """Both axes from 0 to 1 at equal scale, with labels."""
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal", title=title)
    axes.set(xlabel=x_label, ylabel=y_label)
    axes.set_xticks([0, 0.2, 0.4, 0.6, 0.8, 1])
    axes.set_yticks([0, 0.2, 0.4, 0.6, 0.8, 1])
    axes.grid(color=FAINT, linewidth=0.5)
    axes.set_axisbelow(True)


def legend_below(figure: Figure, axes: Axes, title: str) -> None:
    """The legend of ``axes`` below the figure, where no curve can run through it."""
    legend = figure.legend(*axes.get_legend_handles_labels(), loc="outside lower left", title=title)
    legend.set_alignment("left")
    legend.get_title().set(fontsize=8, color=MUTED)


def split_title(name: str, metrics: Mapping[str, Any]) -> str:
    """The title of a figure: what it is, of which split, of how many tiles."""
    split, tiles = metrics.get("split"), metrics.get("tiles")
    return f"{name}, {split} split ({tiles:,} tiles)" if tiles else f"{name}, {split} split"
