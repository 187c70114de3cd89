"""Beer-Lambert: between grey levels and natural-log optical density."""

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
    return -xp.log((grey + convention.offset) / convention.transmitted_light)


def transmitted(optical_density: Array, convention: Convention) -> Array:
    """Grey levels, not yet rounded, of light that passed an optical density; at most 255."""
    xp = namespace_of(optical_density)
    light = convention.transmitted_light * xp.exp(-optical_density)
    return xp.clip(light, 0.0, 255.0)
