"""Whether there is anything to see in a tile at all."""

import numpy as np

from histocli.qc.measures.pixels import Tiles, Values, luminance

PERCENTILES = (1, 99)


def contrast(tiles: Tiles) -> Values:
    """Range of the luminance between its 1st and 99th percentile, as a share of white.

    Empty glass may be tinted, and then every pixel of it absorbs light as tissue does; but it has no
    structure. The luminance is averaged over 3x3 pixels first, so that noise and a speck of dust are
    none either.

    Args:
        tiles: uint8 RGB, shape ``(N, 3, H, W)``.

    Returns:
        0 (one color) to 1, shape ``(N,)``.
    """
    grey, white = luminance(tiles), 255_000
    if grey.shape[1] > 2:
        grey, white = grey[:, :-2] + grey[:, 1:-1] + grey[:, 2:], 3 * white
    if grey.shape[2] > 2:
        grey, white = grey[:, :, :-2] + grey[:, :, 1:-1] + grey[:, :, 2:], 3 * white
    low, high = np.percentile(grey.reshape(len(grey), -1), PERCENTILES, axis=1)
    share: Values = (high - low) / white
    return share
