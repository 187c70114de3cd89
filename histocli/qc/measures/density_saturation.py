"""How far a tile's absorption is from grey."""

import numpy as np

from histocli.qc.measures.pixels import Tiles, Values, mean_where, tissue_mask


def density_saturation(tiles: Tiles) -> Values:
    """Spread of the optical density over the channels, as a share of the highest, on tissue.

    Unlike the HSV saturation it does not fade with pale staining: by Beer-Lambert, thin and thick
    tissue of one stain have the same. Dust, shadows and the edge of the slide darken all channels
    alike and have none.

    Args:
        tiles: uint8 RGB, shape ``(N, 3, H, W)``.

    Returns:
        Sum of ``max - min`` over sum of ``max`` of the natural-log optical densities, 0 (grey) to 1,
        shape ``(N,)``; NaN without tissue.

    Source:
        van der Laak et al., Cytometry 2000 (hue-saturation-density), where it is per pixel.
    """
    tissue = tissue_mask(tiles)
    density = np.maximum(-np.log((np.arange(256) + 1) / 240), 0.0)
    highest, lowest = density[tiles.min(axis=1)], density[tiles.max(axis=1)]
    spread, total = mean_where(highest - lowest, tissue), mean_where(highest, tissue)
    share: Values = spread / total
    return share
