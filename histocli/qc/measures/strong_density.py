"""How dark the darkest structures of a tile are: its nuclei, where it has some."""

import numpy as np

from histocli.qc.measures.densities import DENSITY
from histocli.qc.measures.pixels import Tiles, Values, tissue_mask

PERCENTILE = 95


def strong_density(tiles: Tiles) -> Values:
    """95th percentile, over the tissue, of the highest of the channels' natural-log optical densities.

    Args:
        tiles: uint8 RGB, shape ``(N, 3, H, W)``.

    Returns:
        About 1 to 5, shape ``(N,)``; NaN without tissue.
    """
    highest, tissue = DENSITY[tiles.min(axis=1)], tissue_mask(tiles)
    found = [
        np.percentile(density[mask], PERCENTILE) if mask.any() else np.nan
        for density, mask in zip(highest, tissue, strict=True)
    ]
    return np.array(found, np.float64)
