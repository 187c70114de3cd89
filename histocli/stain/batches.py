"""A batch of tiles: what goes in, in which portions it is worked on, and what comes out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, get_args

import numpy as np
from numpy.typing import NDArray

from histocli.device_memory import FittingParts
from histocli.errors import SettingsError
from histocli.stain.arrays import Array, namespace_of, to_numpy
from histocli.stain.context import EstimateSource
from histocli.stain.status import StainStatus

Given = TypeVar("Given")
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


def as_batch(image: Array) -> Array:
    """An image ``(3, H, W)`` as a batch of one; a batch as it is.

    Raises:
        ValueError: If it is neither.
    """
    shape = tuple(getattr(image, "shape", ()))
    if len(shape) == 3 and shape[0] != 3:
        raise ValueError(f"expected an image of shape (3, H, W), channels first, not {shape}")
    return image[None] if len(shape) == 3 else image


def check_tiles(tiles: Array) -> None:
    """Refuse anything but a batch of uint8 RGB tiles."""
    shape = tuple(getattr(tiles, "shape", ()))
    if len(shape) != 4 or shape[1] != 3:
        raise ValueError(f"expected tiles of shape (N, 3, H, W), channels first, not {shape}")
    if shape[0] and not shape[2] * shape[3]:
        raise ValueError(f"tiles of shape {shape} have no pixels")
    if str(tiles.dtype).removeprefix("torch.") != "uint8":
        raise ValueError(f"expected uint8 tiles, not {tiles.dtype}")


def portion(given: Sequence[Given], first: int, last: int) -> Sequence[Given]:
    """What belongs to some tiles of what was given for each tile, or once for all."""
    return given if len(given) == 1 else given[first:last]


def check_given(tiles: Array, **given: Sequence[object]) -> None:
    """Refuse what is given neither for each tile nor once for all."""
    for name, values in given.items():
        if len(values) not in (1, len(tiles)):
            raise ValueError(f"{name}: {len(values)} given for {len(tiles)} tiles")


def check_image(image: str) -> None:
    """Refuse what is no kind of image."""
    if image not in get_args(StainImage):
        raise SettingsError(
            f"unknown image {image!r}; choose one of {', '.join(get_args(StainImage))}"
        )


def in_parts(
    work: Callable[[int, int], tuple[Array, ...]], tiles: Array, pixels_at_once: int
) -> list[Any]:
    """Work on tiles from ``first`` to ``last`` at a time; the joined columns of what it gives.

    Fewer at a time where a device has no memory for so many.
    """
    step = max(1, pixels_at_once // max(1, tiles.shape[2] * tiles.shape[3]))
    parts = FittingParts(step).each(work, len(tiles))
    if len(parts) == 1:
        return list(parts[0])
    xp = namespace_of(parts[0][0])
    return [xp.concat(list(column), axis=0) for column in zip(*parts, strict=True)]
