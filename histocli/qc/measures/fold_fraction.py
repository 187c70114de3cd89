"""How much of a tile lies under a fold."""

import numpy as np
from scipy import ndimage

from histocli.qc.measures.densities import DENSITY, opened, window_px
from histocli.qc.measures.pixels import Tiles, Values, fraction, tissue_mask

# Larger than a nucleus: between nuclei, however crowded, light gets through; through a fold it does not.
WINDOW_SHARE = 1 / 12
LOWEST_DENSITY, TIMES_THE_MEDIAN = 0.8, 1.3


def fold_fraction(tiles: Tiles) -> Values:
    """Share of pixels in patches that are dense throughout, and denser than the tile's tissue.

    The optical density of red, which hematoxylin absorbs and blood does not, averaged over 3x3 pixels,
    exceeds 0.8 and 1.3 times the median of the tile's tissue in the whole of a square of a twelfth of
    the tile's side.

    Args:
        tiles: uint8 RGB, shape ``(N, 3, H, W)``.

    Returns:
        0 to 1, shape ``(N,)``.
    """
    red, tissue = DENSITY[tiles[:, 0]], tissue_mask(tiles)
    medians = np.array(
        [
            np.median(density[mask]) if mask.any() else np.inf
            for density, mask in zip(red, tissue, strict=True)
        ]
    )
    smooth = ndimage.uniform_filter(red, (1, 3, 3), mode="nearest")
    dense = opened(smooth, window_px(tiles, WINDOW_SHARE))
    threshold = np.maximum(LOWEST_DENSITY, TIMES_THE_MEDIAN * medians)
    return fraction(dense > threshold[:, None, None])
