"""ROAD: remove pixels so that nobody can tell where, and see what the model says."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from histocli.explain.faithfulness.ordering import strongest
from histocli.explain.faithfulness.probe import Probe

# Parts of the tile that are removed.
SHARES = (0.2, 0.5, 0.8)
# Noise on what was filled in, as a part of the range, so that smoothness does not tell it apart.
NOISE = 0.01
# What an equation may be off by: far below the noise.
TOLERANCE = 3e-4
ITERATIONS = 300


def road_scores(
    probe: Probe, places: NDArray[np.int64], generator: torch.Generator
) -> NDArray[np.float64]:
    """How much more probable the class is without the weakest pixels than without the strongest.

    Args:
        probe: The tiles.
        places: Of each pixel in the order of its map, shape ``(N, H, W)``.
        generator: Of the noise, on the CPU.

    Returns:
        Half the difference, the mean over ``SHARES``, shape ``(N,)``; about 0 for a map that says nothing.

    Source:
        Rong et al., ICML 2022; the mean of both orders is pytorch-grad-cam's.
    """
    noise = torch.randn(probe.tiles.shape, generator=generator).to(probe.tiles.device)
    reverse = places[0].size - 1 - places
    differences = []
    for share in SHARES:
        kept = []
        for order in (reverse, places):
            removed = strongest(order, share, probe.tiles.device)
            filled = fill_in(probe.tiles, removed) + NOISE * noise * removed
            kept.append(probe.log_probabilities(filled.clamp(0, 1)).exp().numpy())
        differences.append((kept[0] - kept[1]) / 2)
    return np.asarray(np.mean(differences, axis=0))


def fill_in(tiles: Tensor, removed: Tensor, tolerance: float = TOLERANCE) -> Tensor:
    """Give removed pixels the values that make each the weighted mean of its neighbors.

    A neighbor beside a pixel weighs a sixth, a diagonal one a twelfth. The equations of a tile are solved
    together by conjugate gradients, for all tiles at once, from a guess at the scale of each hole.

    Args:
        tiles: Shape ``(N, 3, H, W)``.
        removed: True for pixels to fill in, shape ``(N, 1, H, W)``; some are left in each tile.
        tolerance: What an equation may be off by.

    Returns:
        Shape ``(N, 3, H, W)``.
    """
    unknown = removed.to(tiles.dtype)
    # At the border there are fewer neighbors to take the mean of.
    total = _neighbors(torch.ones_like(tiles[:1, :1]))

    def applied(values: Tensor) -> Tensor:
        return unknown * (total * values - _neighbors(values))

    known = tiles * (1 - unknown)
    guess = unknown * _guess(known, 1 - unknown)
    residual = unknown * _neighbors(known) - applied(guess)
    direction, length = residual, _inner_product(residual, residual)
    for _ in range(ITERATIONS):
        if residual.abs().max() < tolerance:
            break
        moved = applied(direction)
        step = length / _inner_product(direction, moved)
        guess = guess + step * direction
        residual = residual - step * moved
        longer = _inner_product(residual, residual)
        direction = residual + longer / length * direction
        length = longer
    return known + guess


def _neighbors(values: Tensor) -> Tensor:
    """Weighted sum of the eight neighbors of each pixel.

    The weights are those of two passes with 1, 2, 1 along a side, the pixel itself taken out.
    """
    return (_blurred(_blurred(values, -1), -2) - 4 * values) / 12


def _blurred(values: Tensor, axis: int) -> Tensor:
    count = values.shape[axis]
    out = 2 * values
    out.narrow(axis, 1, count - 1).add_(values.narrow(axis, 0, count - 1))
    out.narrow(axis, 0, count - 1).add_(values.narrow(axis, 1, count - 1))
    return out


def _guess(known: Tensor, kept: Tensor) -> Tensor:
    """The mean of what is known nearby: of the smallest surroundings where anything is."""
    size = known.shape[-2:]
    if min(size) < 4:
        return known.sum(dim=(2, 3), keepdim=True) / kept.sum(dim=(2, 3), keepdim=True)
    halved = [functional.avg_pool2d(values, 2, ceil_mode=True) for values in (known, kept)]
    coarse = _guess(*halved)
    there = halved[1] > 0
    coarse = torch.where(there, halved[0] / torch.where(there, halved[1], 1.0), coarse)
    enlarged = functional.interpolate(coarse, size, mode="bilinear", align_corners=False)
    return torch.where(kept > 0, known, enlarged)


def _inner_product(one: Tensor, other: Tensor) -> Tensor:
    """Of each tile and channel; never 0, so that one that is solved moves no further."""
    tiny = torch.finfo(one.dtype).tiny
    return (one * other).sum(dim=(2, 3), keepdim=True).clamp_min(tiny)
