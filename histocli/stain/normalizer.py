"""The public face of stain normalisation: uint8 tiles in, uint8 tiles out, a status for each."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from histocli.stain.arrays import Array, namespace_of
from histocli.stain.backends import Backend, find_backend, to_numpy
from histocli.stain.conventions import Convention, find_convention
from histocli.stain.macenko import StainEstimate, estimate_stains, normalization_matrices
from histocli.stain.optical_density import grey_levels, optical_density, transmitted
from histocli.stain.reference import PUBLISHED_REFERENCE, StainReference
from histocli.stain.statistics import combine_channels
from histocli.stain.status import DEFAULT_GUARDS, Guards, StainStatus

# Pixels worked on at once: bounds the memory whatever the batch.
PIXELS_AT_ONCE = 2**22


@dataclass(frozen=True)
class NormalizedTiles:
    """Result of normalising a batch.

    Attributes:
        tiles: uint8, shape ``(N, 3, H, W)``, of the kind that came in.
        stain_matrices: Shape ``(N, 3, 2)``; NaN where the status is not ok.
        maximum_concentrations: Shape ``(N, 2)``; NaN where the status is not ok.
        tissue_fraction: Shape ``(N,)``.
        status_codes: ``StainStatus`` values, shape ``(N,)``.
    """

    tiles: Array
    stain_matrices: Array
    maximum_concentrations: Array
    tissue_fraction: Array
    status_codes: Array

    @property
    def status(self) -> NDArray[np.str_]:
        """Names of the status, such as ``ok``, ``blank`` and ``low_tissue``."""
        names = np.array([status.label for status in StainStatus])
        return names[to_numpy(self.status_codes)]


@dataclass(frozen=True)
class MacenkoNormalizer:
    """Normalise the stain of tiles by Macenko's method.

    Args:
        convention: Whose constants: a key of ``CONVENTIONS``.
        backend: ``auto`` works with torch on NumPy arrays and with an array's own library otherwise;
            ``numpy`` is float64, slow, and what the others are tested against.
        reference: The stain to normalise to.
        guards: When a tile's own estimate is not trusted.

    Example:
        >>> import numpy as np
        >>> white = np.full((1, 3, 8, 8), 255, np.uint8)
        >>> result = MacenkoNormalizer().normalize(white)
        >>> str(result.status[0]), bool((result.tiles == white).all())
        ('blank', True)
    """

    convention: str = "torchstain"
    backend: str = "auto"
    reference: StainReference = PUBLISHED_REFERENCE
    guards: Guards = DEFAULT_GUARDS

    def normalize(self, tiles: Array) -> NormalizedTiles:
        """Normalise uint8 tiles of shape ``(N, 3, H, W)``.

        A tile without a usable stain comes back as it was, with a status that says why.

        Raises:
            ValueError: If the array is not uint8 of that shape.
        """
        check_tiles(tiles)
        backend, constants = find_backend(self.backend, tiles), find_convention(self.convention)
        work = backend.enter(tiles)

        def one_part(part: Array) -> tuple[Array, ...]:
            return self._normalize_part(part, constants, backend)

        outputs = _in_parts(one_part, work)
        return NormalizedTiles(*(backend.leave(output) for output in outputs))

    def fit(self, image: Array) -> Self:
        """Take the stain of an image, uint8 ``(3, H, W)``, as the reference.

        Raises:
            ValueError: If the image holds no usable stain.
        """
        tiles = image[None] if image.ndim == 3 else image
        check_tiles(tiles)
        backend, constants = find_backend(self.backend, tiles), find_convention(self.convention)
        estimate = _estimate(backend.enter(tiles), constants, self.guards, backend)
        status = StainStatus(int(to_numpy(estimate.status_codes)[0]))
        if status is not StainStatus.OK:
            raise ValueError(f"no usable stain in the image ({status.label}); choose another")
        matrix = to_numpy(estimate.stain_matrices)[0].astype(float)
        maxima = to_numpy(estimate.maximum_concentrations)[0].astype(float)
        red, green, blue = ((float(h), float(e)) for h, e in matrix)
        reference = StainReference((red, green, blue), (float(maxima[0]), float(maxima[1])))
        return replace(self, reference=reference)

    def _normalize_part(
        self, tiles: Array, convention: Convention, backend: Backend
    ) -> tuple[Array, ...]:
        xp = namespace_of(tiles)
        grey, estimate, status = normalized_grey_levels(
            tiles, convention, self.reference, self.guards, backend.float_type(tiles)
        )
        usable = status == StainStatus.OK
        nan = float("nan")
        return (
            xp.astype(xp.round(grey), xp.uint8),
            xp.where(usable[:, None, None], estimate.stain_matrices, nan),
            xp.where(usable[:, None], estimate.maximum_concentrations, nan),
            estimate.tissue_fraction,
            status,
        )


def normalized_grey_levels(
    tiles: Array,
    convention: Convention,
    reference: StainReference,
    guards: Guards,
    dtype: Any,
) -> tuple[Array, StainEstimate, Array]:
    """Grey levels before rounding, ``(N, 3, H, W)``, the estimate, and the status.

    A tile whose status is not OK keeps its grey levels.

    Args:
        tiles: uint8, or floats in [0, 1].
        convention: The constants.
        reference: The stain to normalise to.
        guards: When not to trust a tile's estimate.
        dtype: Floating type of the work.
    """
    xp = namespace_of(tiles)
    shape = tuple(tiles.shape)
    grey = xp.reshape(grey_levels(tiles, dtype), (shape[0], 3, shape[2] * shape[3]))
    density = optical_density(grey, convention)
    estimate = estimate_stains(density, convention, guards)
    matrix, maxima = (
        xp.asarray(values, dtype=dtype, device=density.device)
        for values in (reference.stain_matrix, reference.maximum_concentrations)
    )
    matrices, status = normalization_matrices(estimate, matrix, maxima, guards)
    light = transmitted(combine_channels(matrices, density), convention)
    light = xp.where((status == StainStatus.OK)[:, None, None], light, grey)
    return xp.reshape(light, shape), estimate, status


def check_tiles(tiles: Array) -> None:
    """Refuse anything but a batch of uint8 RGB tiles."""
    if tiles.ndim != 4 or tiles.shape[1] != 3:
        raise ValueError(f"expected tiles of shape (N, 3, H, W), not {tuple(tiles.shape)}")
    if str(tiles.dtype).removeprefix("torch.") != "uint8":
        raise ValueError(f"expected uint8 tiles, not {tiles.dtype}")


def _estimate(
    tiles: Array, convention: Convention, guards: Guards, backend: Backend
) -> StainEstimate:
    xp = namespace_of(tiles)
    flat = xp.reshape(tiles, (tiles.shape[0], 3, -1))
    grey = grey_levels(flat, backend.float_type(tiles))
    return estimate_stains(optical_density(grey, convention), convention, guards)


def _in_parts(work: Callable[[Array], tuple[Array, ...]], tiles: Array) -> list[Array]:
    xp = namespace_of(tiles)
    step = max(1, PIXELS_AT_ONCE // max(1, tiles.shape[2] * tiles.shape[3]))
    parts = [work(tiles[start : start + step]) for start in range(0, max(1, len(tiles)), step)]
    return [xp.concat(list(column), axis=0) for column in zip(*parts, strict=True)]
