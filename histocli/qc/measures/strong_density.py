"""How dark the darkest structures of a tile are: its nuclei, where it has some."""

from histocli.qc.measures.densities import DENSITY, percentile_of_tissue
from histocli.qc.measures.pixels import Tiles, Values

PERCENTILE = 95


def strong_density(tiles: Tiles) -> Values:
    """95th percentile, over the tissue, of the highest of the channels' natural-log optical densities.

    Args:
        tiles: uint8 RGB, shape ``(N, 3, H, W)``.

    Returns:
        About 1 to 5, shape ``(N,)``; NaN without tissue.
    """
    return percentile_of_tissue(tiles, DENSITY[tiles.min(axis=1)], PERCENTILE)
