"""How much of a tile lies beyond the slide."""

from histocli.qc.measures.pixels import Tiles, Values, black_mask, fraction


def black_fraction(tiles: Tiles) -> Values:
    """Share of pixels whose channels are all 20 or less of 255.

    Args:
        tiles: uint8 RGB, shape ``(N, 3, H, W)``.

    Returns:
        0 to 1, shape ``(N,)``.
    """
    return fraction(black_mask(tiles))
