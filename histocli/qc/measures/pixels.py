"""What several measures share: luminance in exact integers, and which pixels are tissue or black.

Sums run over one tile's pixels alone, so a tile measures the same whatever else is in its batch.
"""

import numpy as np
from numpy.typing import NDArray

Tiles = NDArray[np.uint8]
Values = NDArray[np.float64]

# A pixel is tissue where any channel's natural-log optical density, -ln((I + 1) / 240), exceeds this.
# Any channel, not all: eosin alone leaves the red channel nearly clear.
TISSUE_OPTICAL_DENSITY = 0.15
TISSUE_GREY_LEVEL = int(np.ceil(240 * np.exp(-TISSUE_OPTICAL_DENSITY) - 1)) - 1
# Nothing that light passes is as dark: the darkest nuclei of real tiles keep a channel above this.
BLACK_GREY_LEVEL = 20
# ITU-R BT.601 weights of red, green and blue, thousandths: as in Pillow's conversion to grey.
LUMINANCE_WEIGHTS = (299, 587, 114)


def luminance(tiles: Tiles) -> NDArray[np.int32]:
    """Luminance of ``(N, 3, H, W)`` in thousandths of a grey level, shape ``(N, H, W)``."""
    red, green, blue = (tiles[:, channel].astype(np.int32) for channel in range(3))
    return LUMINANCE_WEIGHTS[0] * red + LUMINANCE_WEIGHTS[1] * green + LUMINANCE_WEIGHTS[2] * blue


def black_mask(tiles: Tiles) -> NDArray[np.bool_]:
    """True where nothing was scanned, shape ``(N, H, W)``."""
    brightest: Tiles = tiles.max(axis=1)
    return brightest <= BLACK_GREY_LEVEL


def tissue_mask(tiles: Tiles) -> NDArray[np.bool_]:
    """True where a stain absorbed light, shape ``(N, H, W)``; the black beyond a slide is none."""
    darkest: Tiles = tiles.min(axis=1)
    return (darkest <= TISSUE_GREY_LEVEL) & ~black_mask(tiles)


def mean_where(values: NDArray[np.float64], mask: NDArray[np.bool_]) -> Values:
    """Mean of each tile's values where the mask holds, NaN where it holds nowhere, shape ``(N,)``."""
    counted = np.where(mask, values, 0.0).reshape(len(values), -1).sum(axis=1)
    pixels = mask.reshape(len(mask), -1).sum(axis=1)
    return np.where(pixels > 0, counted / np.maximum(pixels, 1), np.nan)


def fraction(mask: NDArray[np.bool_]) -> Values:
    """Share of each tile's pixels where the mask holds, shape ``(N,)``."""
    share: Values = mask.reshape(len(mask), -1).mean(axis=1, dtype=np.float64)
    return share
