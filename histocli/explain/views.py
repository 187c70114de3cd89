"""The eight turns and flips that a run may average over, and the way back."""

import torch
from torch import Tensor


def orientations(tiles: Tensor, views: str) -> list[int]:
    """Numbers of the orientations of some tiles.

    Args:
        tiles: Shape ``(N, C, H, W)``.
        views: ``none`` for the tile as it lies, ``d4`` for all that keep its shape: eight of a
            square, four of others.
    """
    if views == "none":
        return [0]
    return list(range(8)) if tiles.shape[-1] == tiles.shape[-2] else [0, 2, 4, 6]


def oriented(tiles: Tensor, orientation: int) -> Tensor:
    """Turn counter-clockwise by ``orientation % 4`` quarters; then, from 4 on, flip left to right."""
    turned = torch.rot90(tiles, orientation % 4, dims=(-2, -1))
    return turned.flip(-1) if orientation >= 4 else turned


def upright(maps: Tensor, orientation: int) -> Tensor:
    """Undo ``oriented``."""
    unflipped = maps.flip(-1) if orientation >= 4 else maps
    return torch.rot90(unflipped, -(orientation % 4), dims=(-2, -1))
