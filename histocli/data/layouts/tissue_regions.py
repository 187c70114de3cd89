"""Where a slide has tissue, found on a small picture of it."""

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from histocli.data.layouts.slide_files import SlideHandles
from histocli.data.layouts.slide_tiling import Grid, best_level
from histocli.errors import InputError

# Pixels of the picture along a tile: a share of tissue is known to a few percent.
PIXELS_PER_TILE = 8
MAXIMUM_SIDE_PX = 4096
# Read at once, in pixels of the level: memory stays flat where a slide has no small level.
BLOCK_PX = 512
# Glass is nearly white; where a picture shows none, its brightest tissue must not pass for it.
GLASS = (220, 255)
# Below, light is lost in noise: what is as dark as this has no color that could be believed.
DARKEST = 25
# Otsu's threshold is believed within these. Glass stays below 0.03, pale eosin begins at 0.1; a slide of
# glass alone has nothing above, one of tissue alone must not lose its paler half.
THRESHOLDS = (0.05, 0.15)
BINS = 256


def tissue_fractions(handles: SlideHandles, path: Path, grid: Grid) -> NDArray[np.float32]:
    """Share of each tile of a grid that is tissue, shape ``(rows, columns)``.

    A part of the picture that is damaged counts as tissue, so that its tiles are read, or reported.

    Raises:
        InputError: If nothing of the picture can be read.
    """
    picture, damaged, downsample = _overview(handles, path, grid)
    tissue = tissue_mask(picture) | damaged
    box = (
        0.0,
        0.0,
        min(tissue.shape[1], grid.columns * grid.step[0] / downsample),
        min(tissue.shape[0], grid.rows * grid.step[1] / downsample),
    )
    shares = Image.fromarray(tissue.astype(np.float32)).resize(
        (grid.columns, grid.rows), Image.Resampling.BOX, box
    )
    return np.asarray(shares)


def tissue_mask(pixels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """True where a picture of a slide shows stained tissue, shape ``(H, W)``.

    Stain takes more light of one color than of another; glass, dust, shadows and the black around a scan
    take all alike. So the measure is the optical density (natural logarithm, against the glass of this
    picture) of the color that is taken most less that of the color taken least, cut by Otsu's threshold.
    Ink of pens is colored too and counts: `histo qc` finds it.

    Args:
        pixels: uint8 RGB, shape ``(H, W, 3)``.

    Source:
        Otsu, IEEE Trans. Syst. Man Cybern. 1979, for the threshold.
    """
    glass = np.clip(np.percentile(pixels.reshape(-1, 3), 99, axis=0), *GLASS)
    light = np.log(np.maximum(np.arange(256), DARKEST))
    # Three tables in place of a logarithm a pixel; the channels one by one, for memory.
    tables = np.maximum(np.log(glass)[:, None] - light, 0).astype(np.float32)
    densities = [tables[channel][pixels[..., channel]] for channel in range(3)]
    color = np.maximum.reduce(densities) - np.minimum.reduce(densities)
    threshold = np.clip(_otsu(color), *THRESHOLDS)
    return np.asarray(color > threshold)


def _otsu(values: NDArray[np.float32]) -> float:
    """The threshold that separates two classes best: the largest variance between them."""
    counts, edges = np.histogram(values, BINS, (0.0, 1.0))
    centers = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)
    above = below[-1] - below
    sums = np.cumsum(counts * centers)
    with np.errstate(divide="ignore", invalid="ignore"):
        between = below * above * (sums / below - (sums[-1] - sums) / above) ** 2
    # All in one class, or beyond the range: no threshold separates anything.
    return float(edges[1:][np.nanargmax(between)]) if np.any(between > 0) else math.inf


def _overview(
    handles: SlideHandles, path: Path, grid: Grid
) -> tuple[NDArray[np.uint8], NDArray[np.bool_], float]:
    """The picture, where it is damaged, and how much smaller than level 0 it is."""
    levels = handles.levels(path)
    wanted = max(min(grid.step) / PIXELS_PER_TILE, max(levels.dimensions[0]) / MAXIMUM_SIDE_PX, 1.0)
    level, downsample = best_level(levels.downsamples, wanted)
    factor = max(1, math.floor(wanted / downsample + 0.01))
    width, height = levels.dimensions[level]
    shape = (math.ceil(height / factor), math.ceil(width / factor))
    picture = np.full((*shape, 3), 255, np.uint8)
    damaged = np.zeros(shape, np.bool_)
    side = factor * max(1, BLOCK_PX // factor)
    reason = ""
    for top in range(0, height, side):
        for left in range(0, width, side):
            size = (min(side, width - left), min(side, height - top))
            location = (round(left * downsample), round(top * downsample))
            there = np.s_[
                top // factor : math.ceil((top + size[1]) / factor),
                left // factor : math.ceil((left + size[0]) / factor),
            ]
            try:
                block = handles.read_region(path, location, level, size)
                picture[there] = np.asarray(block.reduce(factor))
            except InputError as error:
                damaged[there], reason = True, str(error)
    if damaged.all():
        raise InputError(f"{reason}; nothing of the slide can be read, get it again")
    return picture, damaged, downsample * factor
