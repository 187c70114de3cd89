"""How bright a tile is."""

import numpy as np

from histocli.qc.measures.pixels import LUMINANCE_WEIGHTS, Tiles, Values, luminance


def brightness(tiles: Tiles) -> Values:
    """Mean luminance (ITU-R BT.601) as a share of white.

    Args:
        tiles: uint8 RGB, shape ``(N, 3, H, W)``.

    Returns:
        0 (black) to 1 (white), shape ``(N,)``.
    """
    total = luminance(tiles).reshape(len(tiles), -1).sum(axis=1, dtype=np.int64)
    pixels = tiles.shape[2] * tiles.shape[3]
    share: Values = total / (sum(LUMINANCE_WEIGHTS) * 255 * pixels)
    return share
