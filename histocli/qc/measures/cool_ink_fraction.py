"""How much of a tile is covered by green or blue ink."""

from histocli.qc.measures.densities import channel_densities
from histocli.qc.measures.pixels import Tiles, Values, fraction

# The bluest hematoxylin of any scanner absorbs red 1.15 times as much as green; these inks more.
BLUE_RED_TO_GREEN, BLUE_BLUE_TO_RED, BLUE_RED, BLUE_SPREAD = 1.2, 0.4, 0.6, 60
GREEN_RED_TO_GREEN, GREEN_RED, GREEN_SPREAD = 1.6, 0.5, 40


def cool_ink_fraction(tiles: Tiles) -> Values:
    """Share of pixels that absorb red light far more than any mixture of hematoxylin and eosin.

    Blue: the optical density of red is above 0.6 and more than 1.2 times that of green, that of blue
    less than 0.4 times it. Green: it is above 0.5 and more than 1.6 times that of green. Both with a
    plain color: channels more than 60 and 40 grey levels apart.

    Args:
        tiles: uint8 RGB, shape ``(N, 3, H, W)``.

    Returns:
        0 to 1, shape ``(N,)``.
    """
    red, green, blue = channel_densities(tiles)
    spread = tiles.max(axis=1) - tiles.min(axis=1)
    is_blue = (red > BLUE_RED_TO_GREEN * green) & (red > BLUE_RED) & (blue < BLUE_BLUE_TO_RED * red)
    is_green = (red > GREEN_RED_TO_GREEN * green) & (red > GREEN_RED)
    return fraction((is_blue & (spread > BLUE_SPREAD)) | (is_green & (spread > GREEN_SPREAD)))
