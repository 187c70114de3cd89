"""Deletion and insertion: the model's probability as pixels go or come, the strongest first."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from histocli.explain.faithfulness.ordering import strongest
from histocli.explain.faithfulness.probe import Probe

STEPS = 8
# Probabilities for the whole and for the blurred tiles, each of shape (N,).
Ends = tuple[NDArray[np.float64], NDArray[np.float64]]


def end_points(probe: Probe, blurred: Tensor) -> Ends:
    """Where every deletion curve begins and ends."""
    return _probabilities(probe, probe.tiles), _probabilities(probe, blurred)


def deletion_curves(
    probe: Probe, places: NDArray[np.int64], blurred: Tensor, ends: Ends
) -> NDArray[np.float64]:
    """Probability of the explained class while the strongest pixels are blurred, shape ``(N, STEPS + 1)``.

    Args:
        probe: The tiles.
        places: Of each pixel in the order of its map, shape ``(N, H, W)``.
        blurred: The tiles without detail.
        ends: As ``end_points`` gives them: they are the same for every map.

    Source:
        Petsiuk et al., BMVC 2018. Differs in: pixels are blurred, not made black.
    """
    return _curves(probe, places, (probe.tiles, blurred), ends)


def insertion_curves(
    probe: Probe, places: NDArray[np.int64], blurred: Tensor, ends: Ends
) -> NDArray[np.float64]:
    """Probability of the explained class while the strongest pixels become sharp in a blurred tile."""
    return _curves(probe, places, (blurred, probe.tiles), ends[::-1])


def area(curves: NDArray[np.float64]) -> NDArray[np.float64]:
    """Area under each curve, between 0 and 1, by the trapezoid rule."""
    return np.asarray((curves[:, 1:] + curves[:, :-1]).mean(axis=1) / 2)


def _curves(
    probe: Probe, places: NDArray[np.int64], tiles: tuple[Tensor, Tensor], ends: Ends
) -> NDArray[np.float64]:
    first, last = tiles
    between = []
    for step in range(1, STEPS):
        changed = strongest(places, step / STEPS, first.device)
        between.append(_probabilities(probe, torch.where(changed, last, first)))
    return np.stack([ends[0], *between, ends[1]], axis=1)


def _probabilities(probe: Probe, tiles: Tensor) -> NDArray[np.float64]:
    return np.asarray(probe.log_probabilities(tiles).exp().numpy())
