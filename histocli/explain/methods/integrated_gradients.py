"""Integrated gradients."""

from collections.abc import Callable

import torch
from torch import Tensor

STEPS = 32
# An empty place of a slide is white, not black.
GLASS = 1.0


def integrated_gradients(
    score: Callable[[Tensor], Tensor], tiles: Tensor, steps: int = STEPS
) -> Tensor:
    """Follow the score from empty glass to the tile and credit each pixel with its part of the rise.

    ``relu(sum_rgb (tile - glass) * mean gradient along the straight line)``, by the midpoint rule: before
    the relu the map adds up to ``score(tile) - score(glass)``, up to the error of the rule.

    Args:
        score: From tiles to the logit of the explained class of each.
        tiles: In [0, 1], shape ``(N, 3, H, W)``.
        steps: Points on the line.

    Returns:
        Maps, shape ``(N, H, W)``.

    Source:
        Sundararajan et al., ICML 2017, equation 3. Differs in: the baseline is white, the glass of a slide.
    """
    return path_attribution(score, tiles, steps).relu()


def path_attribution(score: Callable[[Tensor], Tensor], tiles: Tensor, steps: int) -> Tensor:
    """The signed map of ``integrated_gradients``."""
    difference = tiles - GLASS
    total = torch.zeros_like(tiles)
    for step in range(steps):
        share = (step + 0.5) / steps
        with torch.enable_grad():
            point = (GLASS + share * difference).requires_grad_()
            # No tile's score depends on another tile, so the sum gives each tile its own gradient.
            (gradient,) = torch.autograd.grad(score(point).sum(), point)
        total += gradient
    return (difference * total / steps).sum(dim=1)
