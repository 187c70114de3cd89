"""Beer-Lambert: between grey levels and natural-log optical density."""

import numpy as np
from numpy.typing import NDArray

from histocli.stain.arrays import Array, namespace_of
from histocli.stain.conventions import Convention


def grey_levels(tiles: Array, dtype: Array) -> Array:
    """Grey levels 0 to 255 as ``dtype``, from uint8 or from floats in [0, 1]."""
    xp = namespace_of(tiles)
    if xp.isdtype(tiles.dtype, "integral"):
        return xp.astype(tiles, dtype)
    return xp.astype(tiles, dtype) * 255.0


def optical_density(grey: Array, convention: Convention) -> Array:
    """Natural-log optical density of grey levels: ``-ln((I + offset) / transmitted_light)``."""
    xp = namespace_of(grey)
    held = xp.clip(grey, convention.darkest, convention.brightest)
    return -xp.log((held + convention.offset) / convention.transmitted_light)


def density_table(convention: Convention) -> NDArray[np.float64]:
    """The optical density of each 8-bit grey level, shape ``(256,)``."""
    return np.asarray(optical_density(np.arange(256, dtype=np.float64), convention))


def transmitted(optical_density: Array, convention: Convention) -> tuple[Array, Array]:
    """Light that passed an optical density.

    Returns:
        Grey levels, not yet rounded, cut to 0 and 255; and where they lay inside before.
    """
    xp = namespace_of(optical_density)
    light = convention.transmitted_light * xp.exp(-optical_density)
    return xp.clip(light, 0.0, 255.0), (light >= 0.5) & (light <= 255.5)
