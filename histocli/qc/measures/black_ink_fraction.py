"""How much of a tile is covered by black ink."""

import numpy as np
from scipy import ndimage

from histocli.qc.measures.densities import DENSITY, window_px
from histocli.qc.measures.pixels import Tiles, Values, fraction

BRIGHTEST, SPREAD = 80, 0.22
# Thinner than a nucleus of a tile at 1 micron per pixel would be no stroke.
STROKE_SHARE = 1 / 24


def black_ink_fraction(tiles: Tiles) -> Values:
    """Share of pixels in patches that are dark and neutral: ink, pigment, what lies beyond the slide.

    All channels below 80 grey levels, their optical densities within 22 percent of the highest, over a
    square of a 24th of the tile's side. The darkest nuclei and folds keep a purple hue.

    Args:
        tiles: uint8 RGB, shape ``(N, 3, H, W)``.

    Returns:
        0 to 1, shape ``(N,)``.
    """
    brightest, darkest = tiles.max(axis=1), tiles.min(axis=1)
    highest, lowest = DENSITY[darkest], DENSITY[brightest]
    dark = (brightest < BRIGHTEST) & (highest - lowest < SPREAD * highest)
    side = window_px(tiles, STROKE_SHARE)
    square = np.ones((1, side, side), np.bool_)
    return fraction(ndimage.binary_opening(dark, square))
