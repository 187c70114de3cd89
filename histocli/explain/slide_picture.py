"""The picture of a slide beside the same picture under the scores of its tiles."""

from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from numpy.typing import NDArray

from histocli.explain.drawing import COLORMAP, MUTED, OPACITY, written_figure

if TYPE_CHECKING:
    from histocli.explain.slides import ScoredSlide

# Inches of the longer side of a picture.
SIDE, NAME_CHARACTERS = 5.0, 60


def write_slide_picture(
    path: Path, slide: "ScoredSlide", thumbnail: NDArray[np.uint8], size: tuple[int, int]
) -> None:
    """Draw both pictures and the scale.

    Args:
        path: The PNG file.
        slide: The tiles and their scores.
        thumbnail: uint8 RGB, shape ``(H, W, 3)``.
        size: Width and height of level 0.
    """
    height, width = thumbnail.shape[:2]
    unit = SIDE / max(height, width)
    score = f"probability of {slide.scored}" if slide.scored else "probability of the prediction"
    inches = (2 * max(2.0, unit * width) + 1.2, max(2.0, unit * height) + 0.6)
    with written_figure(path, *inches, layout="constrained") as figure:
        panels = figure.subplots(1, 2)
        shown = (thumbnail, scores_over(thumbnail, slide, size))
        titles = (slide.name[-NAME_CHARACTERS:], f"{score} ({len(slide.scores)} tiles)")
        for axes, picture, title in zip(panels, shown, titles, strict=True):
            axes.imshow(picture, interpolation="lanczos")
            axes.set_title(title, fontsize=8)
            axes.axis("off")
        scale = figure.colorbar(
            ScalarMappable(Normalize(0, 1), COLORMAP), ax=panels, shrink=0.8, pad=0.01
        )
        scale.outline.set_visible(False)
        scale.ax.tick_params(length=0, labelcolor=MUTED)


def scores_over(
    thumbnail: NDArray[np.uint8], slide: "ScoredSlide", size: tuple[int, int]
) -> NDArray[np.float64]:
    """The picture with each scored tile tinted; what has no score stays as it is."""
    picture = thumbnail / 255
    across, down = thumbnail.shape[1] / size[0], thumbnail.shape[0] / size[1]
    colors = mpl.colormaps[COLORMAP](slide.scores)[:, :3]
    for (left, top), color in zip(slide.places.tolist(), colors, strict=True):
        columns = slice(round(left * across), max(1, round((left + slide.step[0]) * across)))
        rows = slice(round(top * down), max(1, round((top + slide.step[1]) * down)))
        picture[rows, columns] = (1 - OPACITY) * picture[rows, columns] + OPACITY * color
    return np.asarray(picture)
