"""How much of a tile is tissue."""

from histocli.qc.measures.pixels import Tiles, Values, fraction, tissue_mask


def tissue_fraction(tiles: Tiles) -> Values:
    """Share of pixels where any channel's natural-log optical density exceeds 0.15.

    Args:
        tiles: uint8 RGB, shape ``(N, 3, H, W)``.

    Returns:
        0 to 1, shape ``(N,)``; the optical density is ``-ln((I + 1) / 240)``, black pixels do not count.
    """
    return fraction(tissue_mask(tiles))
