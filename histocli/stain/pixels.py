"""The passes over the pixels that stain normalisation needs, and their definition.

The maths on a few numbers per tile stands in macenko.py; what touches every pixel stands here. A fused
body has the same methods.
"""

from dataclasses import dataclass
from typing import Protocol

from histocli.stain.arrays import Array, namespace_of, wide_float
from histocli.stain.conventions import Convention
from histocli.stain.optical_density import grey_levels, optical_density, transmitted
from histocli.stain.statistics import combine_channels, masked_moments, percentiles
from histocli.stain.tissue import tissue_mask

# Optical density below which a pixel's projection on the plane is rounding.
LEAST_PROJECTION = 1e-4


class Pixels(Protocol):
    """The pixels of N tiles. Everything it takes and gives is float64, N rows, and small."""

    @property
    def per_tile(self) -> int:
        """Pixels of one tile."""

    def tissue_moments(self) -> tuple[Array, Array, Array]:
        """Count ``(N,)``, mean ``(N, 3)`` and covariance ``(N, 3, 3)`` of the tissue's optical density."""

    def angle_percentiles(self, plane: Array, levels: tuple[float, float]) -> Array:
        """Percentiles ``(N, 2)`` of the tissue's angle, radians, in a plane given by ``(N, 2, 3)``."""

    def concentration_percentiles(self, inverse: Array, level: float) -> Array:
        """A percentile ``(N, 2)`` of both concentrations ``inverse (N, 2, 3) @ optical density``."""


class TransformablePixels(Pixels, Protocol):
    """Pixels that can also be written anew."""

    def transform(self, matrices: Array, keep: Array) -> tuple[Array, Array]:
        """Carry the optical density through a matrix per tile.

        Args:
            matrices: Shape ``(N, 3, 3)``.
            keep: True for tiles that stay as they are, shape ``(N,)``.

        Returns:
            Grey levels ``(N, 3, P)``, uint8 or floats before rounding; and the share of tissue pixels
            that left the 8-bit range, ``(N,)``.
        """


@dataclass(frozen=True)
class ArrayPixels:
    """The definition of the passes, for any array library.

    Args:
        grey: Floating grey levels, shape ``(N, 3, P)``.
        convention: The constants.
    """

    grey: Array
    convention: Convention
    density: Array
    tissue: Array

    @classmethod
    def of(cls, tiles: Array, convention: Convention, dtype: Array) -> "ArrayPixels":
        """From uint8 tiles, or floats in [0, 1], of shape ``(N, 3, H, W)``."""
        xp = namespace_of(tiles)
        flat = xp.reshape(tiles, (tiles.shape[0], 3, tiles.shape[2] * tiles.shape[3]))
        grey = grey_levels(flat, dtype)
        density = optical_density(grey, convention)
        return cls(grey, convention, density, tissue_mask(grey, density, convention))

    @property
    def per_tile(self) -> int:
        """Pixels of one tile."""
        return int(self.density.shape[2])

    def tissue_moments(self) -> tuple[Array, Array, Array]:
        """See ``Pixels``."""
        return masked_moments(self.density, self.tissue)

    def angle_percentiles(self, plane: Array, levels: tuple[float, float]) -> Array:
        """See ``Pixels``."""
        xp = namespace_of(plane)
        projected = combine_channels(xp.astype(plane, self.density.dtype), self.density)
        along, across = projected[:, 0, :], projected[:, 1, :]
        # A pixel along the plane's normal has no angle but that of its rounding errors.
        seen = xp.abs(along) + xp.abs(across) >= LEAST_PROJECTION
        along = xp.where(seen, along, xp.ones_like(along))
        angle = xp.atan2(xp.where(seen, across, 0 * across), along)
        return xp.astype(percentiles(angle, levels, self.tissue), plane.dtype)

    def concentration_percentiles(self, inverse: Array, level: float) -> Array:
        """See ``Pixels``."""
        xp = namespace_of(inverse)
        concentrations = combine_channels(xp.astype(inverse, self.density.dtype), self.density)
        each = [percentiles(concentrations[:, k, :], (level,)) for k in range(2)]
        return xp.astype(xp.concat(each, axis=-1), inverse.dtype)

    def transform(self, matrices: Array, keep: Array) -> tuple[Array, Array]:
        """See ``TransformablePixels``."""
        xp = namespace_of(matrices)
        density = combine_channels(xp.astype(matrices, self.density.dtype), self.density)
        light, inside = transmitted(density, self.convention)
        light = xp.where(keep[:, None, None], self.grey, light)
        lost = self.tissue & ~xp.all(inside, axis=1)
        wide = wide_float(matrices)
        count = xp.sum(xp.astype(self.tissue, wide), axis=-1)
        clipped = xp.sum(xp.astype(lost, wide), axis=-1) / xp.clip(count, 1, None)
        return light, xp.where(keep, 0 * clipped, clipped)
