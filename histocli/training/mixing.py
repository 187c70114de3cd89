"""Mixup and cutmix: a tile is blended with, or has a box of, the tile before it in the batch."""

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta
from torch import Tensor
from torch.nn import functional

# Numbers drawn for each tile: the share that it keeps, and the center of the box.
DRAWS = 3


def mix(
    tiles: Tensor,
    targets: Tensor,
    classes: int,
    numbers: NDArray[np.float64],
    *,
    mixup: float,
    cutmix: float,
) -> tuple[Tensor, Tensor]:
    """Mix each tile with its neighbor; labels become shares of the classes.

    Where both are on, every other tile is blended and the rest get a box.

    Args:
        tiles: Shape ``(N, 3, H, W)``.
        targets: Class indices ``(N,)``, all known.
        classes: Number of classes.
        numbers: Uniform in [0, 1), shape ``(N, DRAWS)`` or wider.
        mixup: Parameter of the Beta distribution of the share that a blended tile keeps; 0 turns it off.
        cutmix: The same for the area outside the box.

    Returns:
        Mixed tiles, and targets ``(N, K)``.

    Source:
        Zhang et al., ICLR 2018 (mixup); Yun et al., ICCV 2019 (cutmix).
    """
    shares = functional.one_hot(targets, classes).to(tiles.dtype)
    if (mixup == 0 and cutmix == 0) or len(tiles) < 2:
        return tiles, shares
    other_tiles, other_shares = tiles.roll(1, 0), shares.roll(1, 0)
    mixed, kept = tiles.clone(), np.ones(len(tiles))
    for row in range(len(tiles)):
        blends = cutmix == 0 or (mixup > 0 and row % 2 == 0)
        strength = mixup if blends else cutmix
        share = float(beta.ppf(numbers[row, 0], strength, strength))
        if blends:
            mixed[row] = share * tiles[row] + (1 - share) * other_tiles[row]
            kept[row] = share
        else:
            rows, columns, kept[row] = _box(tiles.shape[-2:], share, numbers[row, 1:3])
            mixed[row, :, rows, columns] = other_tiles[row, :, rows, columns]
    keep = tiles.new_tensor(kept)[:, None]
    return mixed, keep * shares + (1 - keep) * other_shares


def _box(
    shape: tuple[int, ...], share: float, center: NDArray[np.float64]
) -> tuple[slice, slice, float]:
    """A box of ``1 - share`` of the area, cut off at the edges, and the share that is left outside."""
    side = np.sqrt(1 - share)
    bounds = []
    for length, place in zip(shape, center, strict=True):
        low, high = (place - side / 2) * length, (place + side / 2) * length
        bounds.append((max(0, round(low)), min(length, round(high))))
    (top, bottom), (left, right) = bounds
    inside = (bottom - top) * (right - left) / (shape[0] * shape[1])
    return slice(top, bottom), slice(left, right), 1 - inside
