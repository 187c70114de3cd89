"""Maps that know nothing of the model: what an explanation has to beat."""

from collections.abc import Callable, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from histocli.explain.scores.enlarging import enlarge

FloatArray = NDArray[np.float64]
# Standard deviation of the prior, as a part of the side: most of it lies in the center third.
PRIOR_WIDTH = 1 / 6
LUMINANCE = (0.299, 0.587, 0.114)


def random_maps(tiles: Tensor, grid: tuple[int, int], generator: np.random.Generator) -> FloatArray:
    """Noise, as coarse as the method's maps."""
    height, width = int(tiles.shape[2]), int(tiles.shape[3])
    return enlarge(generator.random((len(tiles), *grid)), height, width)


def sobel_maps(tiles: Tensor, grid: tuple[int, int], generator: np.random.Generator) -> FloatArray:
    """Strength of the edges of the tile."""
    del grid, generator
    weights = torch.tensor(LUMINANCE, dtype=torch.float64)[:, None, None]
    grey = (tiles.cpu().double() * weights).sum(dim=1, keepdim=True)
    across = torch.tensor([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]], dtype=torch.float64)
    kernels = torch.stack([across, across.T])[:, None]
    padded = torch.nn.functional.pad(grey, (1, 1, 1, 1), mode="replicate")
    edges = torch.nn.functional.conv2d(padded, kernels)
    strength: FloatArray = edges.square().sum(dim=1).sqrt().numpy()
    return strength


def center_maps(tiles: Tensor, grid: tuple[int, int], generator: np.random.Generator) -> FloatArray:
    """A bell over the center, the same for every tile."""
    del grid, generator
    rows, columns = (_bell(int(side)) for side in tiles.shape[2:])
    return np.broadcast_to(np.outer(rows, columns), (len(tiles), len(rows), len(columns))).copy()


def _bell(side: int) -> FloatArray:
    offset = (np.arange(side) + 0.5) / side - 0.5
    return np.asarray(np.exp(-0.5 * (offset / PRIOR_WIDTH) ** 2))


BASELINES: Mapping[str, Callable[[Tensor, tuple[int, int], np.random.Generator], FloatArray]] = {
    "random": random_maps,
    "sobel": sobel_maps,
    "center": center_maps,
}
