"""How much of a tile is covered by red ink."""

from histocli.qc.measures.densities import channel_densities
from histocli.qc.measures.pixels import Tiles, Values, fraction

GREEN, BLUE_TO_GREEN, RED_TO_GREEN = 1.6, 0.7, 0.17


def red_ink_fraction(tiles: Tiles) -> Values:
    """Share of pixels of a red denser and purer than that of blood.

    The optical density of green is above 1.6, that of blue more than 0.7 and that of red less than 0.17
    times it. Eosin lets blue pass; blood has the hue of the ink, but lets more green pass: only a tile
    full of red cells, strongly stained, is taken for ink.

    Args:
        tiles: uint8 RGB, shape ``(N, 3, H, W)``.

    Returns:
        0 to 1, shape ``(N,)``.
    """
    red, green, blue = channel_densities(tiles)
    return fraction((green > GREEN) & (blue > BLUE_TO_GREEN * green) & (red < RED_TO_GREEN * green))
