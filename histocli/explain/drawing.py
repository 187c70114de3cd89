"""How the figures of an explanation look: declared once, safe for color-blind readers."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from histocli.atomic_files import write_bytes

# Okabe and Ito's palette; words say the same. The colors are those of the report's figures.
CORRECT, WRONG = "#0072B2", "#D55E00"
LINE_COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")
INK, MUTED, FRAME, FAINT = "#1a1a1a", "#595959", "#b0b0b0", "#d9d9d9"
# Perceptually uniform, and unlike hematoxylin and eosin.
COLORMAP = "viridis"
# The overlay hides nothing where there is no attention, and never all of the tissue.
OPACITY = 0.62
DOTS_PER_INCH = 150
STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "text.color": INK,
    "text.parse_math": False,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
}


@contextmanager
def written_figure(
    path: Path, width: float, height: float, layout: str | None = None
) -> Iterator[Figure]:
    """Yield an empty figure; afterwards it is written, whole, with the same bytes each time.

    Args:
        path: The PNG file.
        width: In inches.
        height: In inches.
        layout: Of matplotlib; None where axes are placed by hand.
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(width, height), layout=layout)  # type: ignore[arg-type] # a name
        yield figure
        content = io.BytesIO()
        figure.savefig(content, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None})
    write_bytes(path, content.getvalue())


def colored(attention: NDArray[np.float64]) -> NDArray[np.float64]:
    """A map in [0, 1] ``(H, W)`` as colors ``(H, W, 3)``."""
    return np.asarray(mpl.colormaps[COLORMAP](attention)[..., :3])


def overlaid(pixels: NDArray[np.uint8], attention: NDArray[np.float64]) -> NDArray[np.float64]:
    """The map over the tile, the more opaque the stronger the attention."""
    opacity = OPACITY * attention[..., np.newaxis]
    return (1 - opacity) * (pixels / 255) + opacity * colored(attention)
