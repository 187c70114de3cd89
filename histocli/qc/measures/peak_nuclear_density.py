"""How dark the darkest nuclei of a tile are."""

from histocli.qc.measures.densities import DENSITY, percentile_of_tissue
from histocli.qc.measures.pixels import Tiles, Values

PERCENTILE = 99


def peak_nuclear_density(tiles: Tiles) -> Values:
    """99th percentile of red's natural-log optical density over the tissue: a single nucleus counts.

    Args:
        tiles: uint8 RGB, shape ``(N, 3, H, W)``.

    Returns:
        About 0.5 (hardly a nucleus) to 2.4, shape ``(N,)``; NaN without tissue.
    """
    return percentile_of_tissue(tiles, DENSITY[tiles[:, 0]], PERCENTILE)
