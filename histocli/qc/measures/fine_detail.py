"""How much of the finest detail a tile has."""

from histocli.qc.measures.pixels import Tiles, Values, luminance, tissue_mask
from histocli.qc.measures.sharpness import detail_over_contrast


def fine_detail(tiles: Tiles) -> Values:
    """Mean squared Laplacian over mean squared gradient of the luminance as it is, on tissue.

    ``sharpness`` without its smoothing: it sees a blur of one pixel, which hardly touches coarser
    detail. But a sensor's noise is fine detail, too, and contrast lowers it where noise is even: it only
    tells in company with ``sharpness``.

    Args:
        tiles: uint8 RGB, shape ``(N, 3, H, W)``.

    Returns:
        Per squared pixel, shape ``(N,)``: about 10 for sharp tissue at 1 micron per pixel, 20 for noise
        alone; NaN without tissue, or where the tissue is one flat color.
    """
    return detail_over_contrast(luminance(tiles) / 1000.0, tissue_mask(tiles))
