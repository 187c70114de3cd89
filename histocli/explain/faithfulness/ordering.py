"""Pixels of a map in the order of their evidence, and tiles without some of them."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

# Blurring by a twelfth of the side, 8 px of 96, leaves the stains of a place but none of its nuclei.
BLUR = 1 / 12


def ranks(maps: NDArray[np.float64], generator: np.random.Generator) -> NDArray[np.int64]:
    """Place of each pixel in the order of its map, 0 the strongest, shape ``(N, H, W)``.

    Equal pixels come in random order: in the order of rows they would favor a corner.
    """
    flat = maps.reshape(len(maps), -1)
    shuffled = generator.permutation(flat.shape[1])
    order = shuffled[np.argsort(-flat[:, shuffled], axis=1, kind="stable")]
    places = np.empty_like(order)
    np.put_along_axis(places, order, np.arange(flat.shape[1])[np.newaxis], axis=1)
    return places.reshape(maps.shape).astype(np.int64)


def strongest(places: NDArray[np.int64], share: float, device: torch.device) -> Tensor:
    """True for that share of each tile's pixels that comes first, shape ``(N, 1, H, W)``."""
    count = round(share * places[0].size)
    return torch.from_numpy(places < count)[:, None].to(device)


def without_detail(tiles: Tensor) -> Tensor:
    """Tiles blurred until no nucleus is left: what takes the place of pixels that are removed.

    Grey or black would be a sight that no slide offers, and the model's answer to it no evidence.
    """
    from kornia.filters import gaussian_blur2d  # heavy: only for an audit

    sigma = BLUR * min(tiles.shape[2:])
    side = 2 * int(2 * sigma) + 1
    blurred: Tensor = gaussian_blur2d(tiles, (side, side), (sigma, sigma), "replicate")
    return blurred
