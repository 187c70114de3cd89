"""Sensitivity-n: do sums of a map foretell how far the score falls when their pixels go?"""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from histocli.explain.faithfulness.probe import Probe

# Squares a side: 12 px of 96, so that a nucleus is removed or left as a whole.
SQUARES = 8
# Parts of the tile that are removed, and how many draws of squares for each.
SHARES = (0.2, 0.5)
DRAWS = 12


def sensitivity_scores(
    probe: Probe,
    maps: Mapping[str, NDArray[np.float64]],
    blurred: Tensor,
    generator: np.random.Generator,
) -> dict[str, NDArray[np.float64]]:
    """Correlation, over draws of squares, of the map's sum inside them with the fall of the log odds.

    All maps are judged by the same draws.

    Args:
        probe: The tiles.
        maps: By name, each of shape ``(N, H, W)``.
        blurred: The tiles without detail, which takes the place of what is removed.
        generator: Of the draws.

    Returns:
        By name, the mean over ``SHARES`` of Pearson's correlation, shape ``(N,)``; 0 where the sums or
        the falls are all alike.

    Source:
        Ancona et al., ICLR 2018. Differs in: squares, not single pixels; blurred, not black.
    """
    whole = probe.log_odds(probe.tiles).numpy()
    found: dict[str, list[NDArray[np.float64]]] = {name: [] for name in maps}
    for share in SHARES:
        masks = _draws(share, probe.size_px, generator)
        falls = np.stack([whole - _without(probe, mask, blurred) for mask in masks], axis=1)
        for name, values in maps.items():
            sums = np.einsum("nyx,dyx->nd", values, masks.astype(np.float64))
            found[name].append(_correlations(sums, falls))
    return {name: np.asarray(np.mean(rows, axis=0)) for name, rows in found.items()}


def _draws(
    share: float, size_px: tuple[int, int], generator: np.random.Generator
) -> NDArray[np.bool_]:
    """Masks of random squares, shape ``(DRAWS, H, W)``."""
    count = round(share * SQUARES**2)
    chosen = [generator.permutation(SQUARES**2) < count for _ in range(DRAWS)]
    rows, columns = (np.arange(side) * SQUARES // side for side in size_px)
    squares = np.stack(chosen).reshape(DRAWS, SQUARES, SQUARES)
    return squares[:, rows[:, np.newaxis], columns[np.newaxis]]


def _without(probe: Probe, mask: NDArray[np.bool_], blurred: Tensor) -> NDArray[np.float64]:
    removed = torch.from_numpy(mask).to(probe.tiles.device)
    changed: NDArray[np.float64] = probe.log_odds(
        torch.where(removed, blurred, probe.tiles)
    ).numpy()
    return changed


def _correlations(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """Pearson's, of each row; 0 where a row does not vary."""
    centered = [values - values.mean(axis=1, keepdims=True) for values in (one, other)]
    together = (centered[0] * centered[1]).sum(axis=1)
    size = np.sqrt((centered[0] ** 2).sum(axis=1) * (centered[1] ** 2).sum(axis=1))
    return np.divide(together, size, out=np.zeros_like(together), where=size > 1e-12)
