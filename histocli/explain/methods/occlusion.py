"""Occlusion."""

from collections.abc import Callable

import torch
from torch import Tensor

# A square of a sixth of the tile, 16 px of 96: a nucleus with some of its surroundings.
SQUARES_A_SIDE = 6


def occlusion(score: Callable[[Tensor], Tensor], tiles: Tensor) -> Tensor:
    """Paint a square with the tile's mean color, place by place, and see how far the score falls.

    Squares overlap by half; a pixel's value is the mean fall of the squares that cover it, where positive.

    Args:
        score: From tiles to the logit of the explained class of each.
        tiles: In [0, 1], shape ``(N, 3, H, W)``.

    Returns:
        Maps, shape ``(N, H, W)``.

    Source:
        Zeiler and Fergus, ECCV 2014, section 4.2. Differs in: the square has the tile's mean color,
        because grey is no color of a stained slide.
    """
    height, width = tiles.shape[-2:]
    paint = tiles.mean(dim=(2, 3), keepdim=True)
    falls = tiles.new_zeros(len(tiles), height, width)
    covered = tiles.new_zeros(height, width)
    with torch.no_grad():
        whole = score(tiles)
        for rows in _spans(height):
            for columns in _spans(width):
                painted = tiles.clone()
                painted[:, :, rows, columns] = paint
                falls[:, rows, columns] += (whole - score(painted))[:, None, None]
                covered[rows, columns] += 1
    return (falls / covered).relu()


def _spans(length: int) -> list[slice]:
    """Overlapping spans that cover a side, the last one flush with its end."""
    side = max(1, -(-length // SQUARES_A_SIDE))
    step = max(1, side // 2)
    starts = [*range(0, length - side, step), length - side]
    return [slice(start, start + side) for start in starts]
