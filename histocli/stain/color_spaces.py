"""CIE L*a*b* and back, for any array library.

Powers are written ``exp(p * log(x))``: torch rounds a power one way in the middle of an array and another
at its end, so that a tile would depend on its place in a batch.
"""

import numpy as np

from histocli.stain.arrays import Array, device_of, namespace_of
from histocli.stain.statistics import combine_channels

RGB_TO_XYZ = (
    (0.412453, 0.357580, 0.180423),
    (0.212671, 0.715160, 0.072169),
    (0.019334, 0.119193, 0.950227),
)
# CIE standard illuminant D65, 2 degree observer.
WHITE = (0.95047, 1.0, 1.08883)
# Where the curves of sRGB and of CIE change from a line to a power.
SRGB_KNEE, LINEAR_KNEE = 0.04045, 0.0031308
XYZ_KNEE, ROOT_KNEE = 0.008856, 0.2068966
CIE_SLOPE, CIE_OFFSET = 7.787, 16 / 116


def lab_from_grey_levels(grey: Array) -> Array:
    """L*a*b* of sRGB grey levels.

    Args:
        grey: 0 to 255, shape ``(N, 3, P)``.

    Returns:
        Lightness 0 to 100 and the two color axes, shape ``(N, 3, P)``.

    Source:
        CIE 15:2004 with the rounded constants of scikit-image, which torchstain and slideflow share.
    """
    xp = namespace_of(grey)
    light = grey / 255
    curved = _power((light + 0.055) / 1.055, 2.4)
    linear = xp.where(light > SRGB_KNEE, curved, light / 12.92)
    scaled = np.array(RGB_TO_XYZ) / np.array(WHITE)[:, None]
    xyz = combine_channels(_constant(scaled, grey), linear)
    large = xyz > XYZ_KNEE
    root = _power(xp.where(large, xyz, xp.ones_like(xyz)), 1 / 3)
    root = xp.where(large, root, CIE_SLOPE * xyz + CIE_OFFSET)
    x, y, z = (root[:, channel, :] for channel in range(3))
    return xp.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=1)


def grey_levels_from_lab(lab: Array) -> Array:
    """Grey levels 0 to 255, not rounded, of L*a*b*; what no screen can show is clipped.

    Args:
        lab: Shape ``(N, 3, P)``.
    """
    xp = namespace_of(lab)
    y = (lab[:, 0, :] + 16) / 116
    root = xp.stack([y + lab[:, 1, :] / 500, y, y - lab[:, 2, :] / 200], axis=1)
    line = (root - CIE_OFFSET) / CIE_SLOPE
    xyz = xp.where(root > ROOT_KNEE, root * root * root, line)
    inverse = np.linalg.inv(np.array(RGB_TO_XYZ)) * np.array(WHITE)
    linear = combine_channels(_constant(inverse, lab), xyz)
    large = linear > LINEAR_KNEE
    curved = 1.055 * _power(xp.where(large, linear, xp.ones_like(linear)), 1 / 2.4) - 0.055
    return 255 * xp.clip(xp.where(large, curved, 12.92 * linear), 0.0, 1.0)


def _power(base: Array, exponent: float) -> Array:
    xp = namespace_of(base)
    return xp.exp(exponent * xp.log(base))


def _constant(matrix: Array, like: Array) -> Array:
    """A 3x3 matrix for every tile, shape ``(1, 3, 3)``."""
    xp = namespace_of(like)
    return xp.asarray(matrix.tolist(), dtype=like.dtype, device=device_of(like))[None, :, :]
