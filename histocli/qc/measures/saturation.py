"""How colored the tissue of a tile is."""

import numpy as np

from histocli.qc.measures.pixels import Tiles, Values, mean_where, tissue_mask


def saturation(tiles: Tiles) -> Values:
    """Mean HSV saturation, ``(max - min) / max`` of the channels, over the tissue.

    Over the tissue only: glass is grey, and would make every thinly covered tile look unstained.

    Args:
        tiles: uint8 RGB, shape ``(N, 3, H, W)``.

    Returns:
        0 (grey) to 1, shape ``(N,)``; NaN without tissue.
    """
    brightest = tiles.max(axis=1).astype(np.float64)
    darkest = tiles.min(axis=1).astype(np.float64)
    return mean_where((brightest - darkest) / np.maximum(brightest, 1), tissue_mask(tiles))
