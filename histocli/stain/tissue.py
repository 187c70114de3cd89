"""Which pixels are tissue: the rules of the conventions."""

import numpy as np
from numpy.typing import NDArray

from histocli.stain.arrays import Array, device_of, namespace_of
from histocli.stain.conventions import Convention
from histocli.stain.optical_density import density_table
from histocli.stain.statistics import percentiles

# Percentiles of all grey levels of a tile that become black and white before lightness is judged.
STRETCH = (2.0, 98.0)
# Of red, green and blue in the luminance, in 4096ths.
LUMINANCE_WEIGHTS = (871, 2929, 296)


def tissue_mask(grey: Array, density: Array, convention: Convention) -> Array:
    """True where a pixel is tissue, shape ``(N, P)``.

    ``all_channels`` and ``any_channel`` compare the optical density with a threshold; ``lightness`` is
    the CIE lightness of the contrast-stretched tile, in OpenCV's 8-bit arithmetic, below a threshold.

    Args:
        grey: Grey levels, shape ``(N, 3, P)``.
        density: Their optical density, shape ``(N, 3, P)``.
        convention: Names the rule.
    """
    xp = namespace_of(grey)
    if convention.tissue_rule == "all_channels":
        return xp.all(density >= convention.tissue_threshold, axis=1)
    if convention.tissue_rule == "any_channel":
        return xp.any(density > convention.tissue_threshold, axis=1)
    return lightness(stretched(grey)) < 255 * convention.tissue_threshold


def tissue_grey_level(convention: Convention) -> int:
    """The brightest 8-bit grey level that the two rules on the density count as dark."""
    table = density_table(convention)
    if convention.tissue_rule == "any_channel":
        return int(np.flatnonzero(table > convention.tissue_threshold).max())
    return int(np.flatnonzero(table >= convention.tissue_threshold).max())


def stretched(grey: Array) -> Array:
    """Stretch the contrast of each tile ``(N, 3, P)``; the three channels share their percentiles."""
    xp = namespace_of(grey)
    whole = xp.round(grey)
    pooled = xp.reshape(whole, (whole.shape[0], 3 * whole.shape[2]))
    ends = percentiles(pooled, STRETCH)
    extremes = xp.stack([xp.min(pooled, axis=-1), xp.max(pooled, axis=-1)], axis=-1)
    ends = xp.where((ends[:, 0] < ends[:, 1])[:, None], ends, extremes)
    low, high = ends[:, 0, None, None], ends[:, 1, None, None]
    distinct = high > low
    share = (xp.clip(whole, low, high) - low) / xp.where(distinct, high - low, 0 * high + 1)
    return xp.where(distinct, xp.floor(share * 255), whole)


def lightness(grey: Array) -> Array:
    """CIE lightness of sRGB, 0 to 255, in the whole numbers of OpenCV's 8-bit ``COLOR_RGB2LAB``.

    Linear light is held in eighths of a grey level, luminance is a sum with weights in 4096ths, the cube
    root is held in 32768ths.

    Args:
        grey: Whole grey levels, shape ``(N, 3, P)``.

    Returns:
        Shape ``(N, P)``.
    """
    xp = namespace_of(grey)
    linear, table = (
        xp.asarray(values, device=device_of(grey)) for values in (linear_eighths(), _lightnesses())
    )
    index = xp.reshape(xp.astype(grey, xp.int64), (-1,))
    eighths = xp.reshape(xp.take(linear, index, axis=0), grey.shape)
    red, green, blue = LUMINANCE_WEIGHTS
    luminance = red * eighths[:, 0, :] + green * eighths[:, 1, :] + blue * eighths[:, 2, :]
    rounded = xp.reshape((luminance + 2048) // 4096, (-1,))
    return xp.reshape(xp.take(table, rounded, axis=0), luminance.shape)


def luminance_limit(convention: Convention) -> int:
    """The greatest luminance, in 8 * 255 * 4096ths, whose lightness is below the threshold."""
    bright = np.flatnonzero(_lightnesses() >= 255 * convention.tissue_threshold)
    return int(bright.min()) * 4096 - 2048 - 1


def linear_eighths() -> NDArray[np.int64]:
    """Linear light of each grey level of sRGB, in eighths of a grey level, shape ``(256,)``."""
    light = np.arange(256) / 255
    linear = np.where(light <= 0.04045, light / 12.92, ((light + 0.055) / 1.055) ** 2.4)
    return np.rint(8 * 255 * linear).astype(np.int64)


def _lightnesses() -> NDArray[np.int64]:
    """Lightness 0 to 255 of each luminance that is a multiple of 4096."""
    luminance = np.arange(8 * 255 + 1) / (8 * 255)
    near_black = luminance * 841 / 108 + 16 / 116
    root = np.where(luminance < 216 / 24389, near_black, np.cbrt(luminance))
    # 296 = 116 * 2.55 and 1336934 = 16 * 2.55 * 32768, both rounded.
    return (296 * np.rint(32768 * root).astype(np.int64) - 1336934 + 16384) // 32768
