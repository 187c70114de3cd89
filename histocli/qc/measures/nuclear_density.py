"""How dark the nuclei of a tile are."""

from histocli.qc.measures.densities import DENSITY, percentile_of_tissue
from histocli.qc.measures.pixels import Tiles, Values

PERCENTILE = 95


def nuclear_density(tiles: Tiles) -> Values:
    """95th percentile of red's natural-log optical density over the tissue.

    Hematoxylin absorbs red and eosin hardly does, so what is dark in red is nuclei, however strong the
    eosin.

    Args:
        tiles: uint8 RGB, shape ``(N, 3, H, W)``.

    Returns:
        About 0.4 (fat, muscle) to 2 (crowded lymphocytes), shape ``(N,)``; NaN without tissue.
    """
    return percentile_of_tissue(tiles, DENSITY[tiles[:, 0]], PERCENTILE)
