"""A batch of tiles: what goes in, in which portions it is worked on, and what comes out."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from histocli.stain.arrays import Array, namespace_of, to_numpy
from histocli.stain.context import EstimateSource
from histocli.stain.status import StainStatus

StainImage = Literal["normalized", "hematoxylin", "eosin"]


@dataclass(frozen=True)
class NormalizedTiles:
    """Result of normalising a batch.

    Attributes:
        tiles: uint8, shape ``(N, 3, H, W)``, of the kind that came in.
        stain_matrices: What the tile was normalised by, shape ``(N, 3, 2)``. A tile that stayed as it was
            has the reference's: a change from the reference to itself. NaN if the method knows no stains.
        maximum_concentrations: Likewise, shape ``(N, 2)``.
        tissue_fraction: Shape ``(N,)``.
        status_codes: ``StainStatus`` values, shape ``(N,)``.
        used_codes: ``EstimateSource`` values: whose estimate was used, shape ``(N,)``.
    """

    tiles: Array
    stain_matrices: Array
    maximum_concentrations: Array
    tissue_fraction: Array
    status_codes: Array
    used_codes: Array

    @property
    def status(self) -> NDArray[np.str_]:
        """Names of the status, such as ``ok``, ``blank`` and ``low_tissue``."""
        names = np.array([status.label for status in StainStatus])
        return names[to_numpy(self.status_codes)]

    @property
    def used(self) -> NDArray[np.str_]:
        """Whose estimate was used: ``tile``, ``group``, ``dataset``, or ``identity`` for nobody's."""
        names = np.array([source.label for source in EstimateSource])
        return names[to_numpy(self.used_codes)]


def as_tiles(light: Array, shape: tuple[int, ...]) -> Array:
    """Grey levels ``(N, 3, P)`` as uint8 tiles."""
    xp = namespace_of(light)
    if str(light.dtype).removeprefix("torch.") != "uint8":
        light = xp.astype(xp.round(light), xp.uint8)
    return xp.reshape(light, tuple(shape))


def check_tiles(tiles: Array) -> None:
    """Refuse anything but a batch of uint8 RGB tiles."""
    if tiles.ndim != 4 or tiles.shape[1] != 3:
        raise ValueError(f"expected tiles of shape (N, 3, H, W), not {tuple(tiles.shape)}")
    if str(tiles.dtype).removeprefix("torch.") != "uint8":
        raise ValueError(f"expected uint8 tiles, not {tiles.dtype}")


def in_parts(
    work: Callable[[int, int], tuple[Array, ...]], tiles: Array, pixels_at_once: int
) -> list[Any]:
    """Work on tiles from ``first`` to ``last`` at a time; the joined columns of what it gives."""
    step = max(1, pixels_at_once // max(1, tiles.shape[2] * tiles.shape[3]))
    starts = range(0, max(1, len(tiles)), step)
    parts = [work(start, start + step) for start in starts]
    if len(parts) == 1:
        return list(parts[0])
    xp = namespace_of(parts[0][0])
    return [xp.concat(list(column), axis=0) for column in zip(*parts, strict=True)]
