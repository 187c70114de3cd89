"""How much light the tissue of a tile absorbs."""

from histocli.qc.measures.densities import channel_densities
from histocli.qc.measures.pixels import Tiles, Values, mean_where, tissue_mask


def mean_density(tiles: Tiles) -> Values:
    """Mean natural-log optical density of the three channels over the tissue.

    Args:
        tiles: uint8 RGB, shape ``(N, 3, H, W)``.

    Returns:
        About 0.2 (pale stroma) to 1.4 (crowded lymphocytes), shape ``(N,)``; NaN without tissue.
    """
    red, green, blue = channel_densities(tiles)
    return mean_where((red + green + blue) / 3, tissue_mask(tiles))
