"""A few random operations a tile, from those that leave its label what it is."""

from collections.abc import Callable, Mapping

import kornia.enhance
import kornia.filters
import kornia.geometry
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

# Takes tiles (N, 3, H, W) in [0, 1] and a strength for each, between -1 and 1.
Operation = Callable[[Tensor, Tensor], Tensor]
LARGEST_ANGLE_DEGREES = 30.0
LARGEST_ZOOM = 0.15
LARGEST_SHEAR_DEGREES = 10.0
LARGEST_SIGMA_PX = 1.2
SHARPENED = 1.5
LARGEST_GAMMA = 0.3
LARGEST_NOISE = 0.03
# Numbers drawn for each operation of a tile: which, and how strong.
DRAWS_PER_OPERATION = 2


def rotate(tiles: Tensor, strength: Tensor) -> Tensor:
    """Turn by up to 30 degrees; the corners are filled by reflection."""
    return kornia.geometry.rotate(
        tiles, strength * LARGEST_ANGLE_DEGREES, padding_mode="reflection"
    )


def zoom(tiles: Tensor, strength: Tensor) -> Tensor:
    """Enlarge or shrink by up to 15 %."""
    return kornia.geometry.scale(
        tiles, (1 + strength * LARGEST_ZOOM)[:, None].expand(-1, 2), padding_mode="reflection"
    )


def shear(tiles: Tensor, strength: Tensor) -> Tensor:
    """Shear by up to 10 degrees."""
    amount = torch.tan(torch.deg2rad(strength * LARGEST_SHEAR_DEGREES))
    return kornia.geometry.shear(
        tiles, torch.stack([amount, torch.zeros_like(amount)], dim=1), padding_mode="reflection"
    )


def focus(tiles: Tensor, strength: Tensor) -> Tensor:
    """Soften by a Gaussian of up to 1.2 px, or sharpen."""
    sigma = strength.abs().clamp(min=0.05) * LARGEST_SIGMA_PX
    soft = kornia.filters.gaussian_blur2d(tiles, (7, 7), sigma[:, None].expand(-1, 2))
    sharp = tiles + SHARPENED * strength.abs()[:, None, None, None] * (tiles - soft)
    return torch.where((strength < 0)[:, None, None, None], soft, sharp.clamp(0, 1))


def gamma(tiles: Tensor, strength: Tensor) -> Tensor:
    """Brighten or darken the middle tones."""
    return kornia.enhance.adjust_gamma(tiles, 1 + strength * LARGEST_GAMMA)


def grain(tiles: Tensor, strength: Tensor) -> Tensor:
    """Add noise like that of a sensor; drawn from torch's generator, which a step seeds."""
    noise = torch.randn_like(tiles) * (strength.abs() * LARGEST_NOISE)[:, None, None, None]
    return (tiles + noise).clamp(0, 1)


OPERATIONS: Mapping[str, Operation] = {
    "rotate": rotate,
    "zoom": zoom,
    "shear": shear,
    "focus": focus,
    "gamma": gamma,
    "grain": grain,
}


def rand_augment(tiles: Tensor, numbers: NDArray[np.float64]) -> Tensor:
    """Apply random operations in turn.

    Color has augmentations of its own, so operations that would shift it are left out, as is what no
    scanner does (inversion, posterizing).

    Args:
        tiles: In [0, 1].
        numbers: Uniform, ``DRAWS_PER_OPERATION`` columns for each operation of a tile.

    Source:
        Cubuk et al., CVPRW 2020. Differs in: strengths are drawn, operations chosen for histology.
    """
    operations = list(OPERATIONS.values())
    for first in range(0, numbers.shape[1], DRAWS_PER_OPERATION):
        chosen = (numbers[:, first] * len(operations)).astype(int)
        strength = torch.from_numpy(2 * numbers[:, first + 1] - 1).to(tiles.device, tiles.dtype)
        changed = tiles.clone()
        for position in np.unique(chosen):
            rows = torch.from_numpy(np.flatnonzero(chosen == position)).to(tiles.device)
            changed[rows] = operations[position](tiles[rows], strength[rows]).clamp(0, 1)
        tiles = changed
    return tiles
