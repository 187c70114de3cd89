"""Augmentation on the batch, drawn from (seed, epoch, tile) and from nothing else.

A tile is turned and tinted the same way whichever worker reads it and whatever batch it lands in.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import kornia.enhance
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from histocli.stain.augmentation import DRAWS as STAIN_DRAWS
from histocli.stain.augmentation import StainAugmentation
from histocli.training.rand_augment import DRAWS_PER_OPERATION, rand_augment

# Numbers drawn for each tile: orientation, brightness, contrast, saturation, three channels.
DRAWS = 7
MOST_OPERATIONS = DRAWS // DRAWS_PER_OPERATION


@dataclass(frozen=True)
class AugmentationPlan:
    """How training tiles are changed; every tile is also turned and flipped at random.

    Attributes:
        color_jitter: See ``augment``.
        stain: See ``restain``.
        operations: Of ``rand_augment``, at most ``MOST_OPERATIONS``.
    """

    color_jitter: float = 0.0
    stain: float = 0.0
    operations: int = 0

    def apply(self, tiles: Tensor, tile_ids: Sequence[str], seed: int, epoch: int) -> Tensor:
        """Change tiles in [0, 1] as (seed, epoch, tile) says."""
        if self.stain:
            drawn = draw_numbers(seed, epoch, tile_ids, "stain")
            tiles = restain(tiles, drawn, self.stain)
        if self.operations:
            drawn = draw_numbers(seed, epoch, tile_ids, "operations")
            tiles = rand_augment(tiles, drawn[:, : self.operations * DRAWS_PER_OPERATION])
        return augment(tiles, draw_numbers(seed, epoch, tile_ids), self.color_jitter)


def draw_numbers(
    seed: int, epoch: int, tile_ids: Sequence[str], purpose: str = ""
) -> NDArray[np.float64]:
    """Uniform numbers in [0, 1), shape ``(N, DRAWS)``, that belong to each tile, epoch and purpose."""
    rows = []
    for tile in tile_ids:
        digest = hashlib.sha256(f"{purpose}{seed}/{epoch}/{tile}".encode()).digest()
        rows.append(np.frombuffer(digest[: 4 * DRAWS], "<u4") / 2.0**32)
    return np.array(rows, np.float64).reshape(len(rows), DRAWS)


def augment(tiles: Tensor, numbers: NDArray[np.float64], color_jitter: float) -> Tensor:
    """Turn, flip and tint tiles ``(N, 3, H, W)`` in [0, 1].

    Args:
        tiles: Square tiles; others are flipped but not turned.
        numbers: From ``draw_numbers``.
        color_jitter: Strength: brightness, contrast and saturation change by up to this share, and
            the transmitted light of each channel, which is stain strength, by half of it.
    """
    turned = _turn(tiles, (numbers[:, 0] * 8).astype(int))
    if color_jitter == 0:
        return turned
    spread = torch.from_numpy(2 * numbers[:, 1:] - 1).to(tiles.device, tiles.dtype)
    factors = 1 + color_jitter * spread
    tinted = kornia.enhance.adjust_contrast_with_mean_subtraction(turned, factors[:, 1])
    tinted = _saturate(tinted, factors[:, 2])
    channels = 1 + 0.5 * color_jitter * spread[:, 3:6]
    return (tinted * (factors[:, 0, None] * channels)[:, :, None, None]).clamp(0, 1)


def restain(tiles: Tensor, numbers: NDArray[np.float64], strength: float) -> Tensor:
    """Change the strength of hematoxylin and of eosin, each by up to a share; see ``StainAugmentation``.

    Args:
        tiles: In [0, 1].
        numbers: From ``draw_numbers`` for a purpose of their own.
        strength: Largest share; shifts are a quarter of it.
    """
    augmentation = StainAugmentation(strength, strength / 4, p=1.0)
    changed: Tensor = augmentation(tiles, torch.from_numpy(numbers[:, : 1 + STAIN_DRAWS]))
    return changed


def d4_views(tiles: Tensor) -> list[Tensor]:
    """The eight turns and flips of square tiles; the four that keep the shape of others."""
    square = tiles.shape[-1] == tiles.shape[-2]
    orientations = range(8) if square else (0, 2, 4, 6)
    return [_oriented(tiles, orientation) for orientation in orientations]


def _oriented(tiles: Tensor, orientation: int) -> Tensor:
    turns, flipped = orientation % 4, orientation >= 4
    turned = torch.rot90(tiles, turns, dims=(2, 3)) if turns else tiles
    return turned.flip(3) if flipped else turned


def _turn(tiles: Tensor, orientations: NDArray[np.int64]) -> Tensor:
    if tiles.shape[-1] != tiles.shape[-2]:
        orientations = orientations // 2 * 2
    result = torch.empty_like(tiles)
    for orientation in np.unique(orientations):
        chosen = torch.from_numpy(np.flatnonzero(orientations == orientation)).to(tiles.device)
        result[chosen] = _oriented(tiles[chosen], int(orientation))
    return result


def _saturate(tiles: Tensor, factors: Tensor) -> Tensor:
    """Blend with the tile's grey picture: a fraction of the cost of a round trip through HSV."""
    grey = tiles.mean(dim=1, keepdim=True)
    return grey + (tiles - grey) * factors[:, None, None, None]
