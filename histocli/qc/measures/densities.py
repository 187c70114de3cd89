"""Optical densities of the channels, and the neighborhoods that strokes and folds are looked for in."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from histocli.qc.measures.pixels import Tiles, Values, tissue_mask

# Natural logarithm, transmitted light 240, one added: as the stain normalization has it.
DENSITY = np.maximum(-np.log((np.arange(256) + 1) / 240), 0.0)
Densities = NDArray[np.float64]


def channel_densities(tiles: Tiles) -> tuple[Densities, Densities, Densities]:
    """Of red, green and blue, each ``(N, H, W)``."""
    red, green, blue = (DENSITY[tiles[:, channel]] for channel in range(3))
    return red, green, blue


def percentile_of_tissue(tiles: Tiles, values: Densities, percentile: float) -> Values:
    """Percentile of each tile's values over its tissue, NaN without any, shape ``(N,)``."""
    found = [
        np.percentile(plane[mask], percentile) if mask.any() else np.nan
        for plane, mask in zip(values, tissue_mask(tiles), strict=True)
    ]
    return np.array(found, np.float64)


def window_px(tiles: Tiles, share_of_side: float) -> int:
    """An odd number of pixels, 3 at least: so large a share of a tile's shorter side."""
    side: int = min(tiles.shape[2], tiles.shape[3])
    return max(3, round(side * share_of_side) | 1)


def opened(values: Densities, side_px: int) -> Densities:
    """Grey opening of each plane: what is high in a whole square of that side, and nothing thinner."""
    size = (1, side_px, side_px)
    lowest = ndimage.minimum_filter(values, size, mode="nearest")
    found: Densities = ndimage.maximum_filter(lowest, size, mode="nearest")
    return found
