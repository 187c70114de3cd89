"""256 bits that say what a tile looks like: nearly the same for tiles that look nearly the same.

The signs of the lowest spatial frequencies of the luminance (the discrete cosine transform of 32x32
area means). A change of color, of contrast, of size, or compression leaves most of them as they are.
Turning and mirroring only swaps rows with columns and inverts the odd frequencies, so the hashes of a
tile's eight orientations follow from its own.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from histocli.qc.measures.pixels import Tiles

Bits = NDArray[np.uint8]

GRID = 32
FREQUENCIES = 16
HASH_BYTES = FREQUENCIES * FREQUENCIES // 8
ORIENTATIONS = 8
# Powers of two small enough that all sums are whole numbers below 2**53: exact in any order.
SCALE = 2**14
GREY_WEIGHTS = (77.0, 150.0, 29.0)


def perceptual_hashes(tiles: Tiles) -> Bits:
    """Hash tiles.

    Args:
        tiles: uint8 RGB, shape ``(N, 3, H, W)``.

    Returns:
        Packed bits, shape ``(N, 32)``, row by row of the frequencies; that of the mean is 0.
    """
    down, across = _projection(tiles.shape[2]), _projection(tiles.shape[3])
    signs = np.empty((len(tiles), FREQUENCIES, FREQUENCIES), np.bool_)
    for place, tile in zip(signs, tiles, strict=True):
        grey = sum(
            weight * channel.astype(np.float64)
            for weight, channel in zip(GREY_WEIGHTS, tile, strict=True)
        )
        place[:] = down @ grey @ across.T > 0
    signs[:, 0, 0] = False
    return np.packbits(signs.reshape(len(tiles), FREQUENCIES * FREQUENCIES), axis=1)


def orientations(hashes: Bits) -> Bits:
    """Hashes of the eight orientations of each tile, shape ``(N, 8, 32)``; the first is its own."""
    signs = np.unpackbits(hashes, axis=1).reshape(len(hashes), FREQUENCIES, FREQUENCIES)
    odd = np.arange(FREQUENCIES, dtype=np.uint8) % 2
    found = []
    for turned in (signs, signs.transpose(0, 2, 1)):
        for upside_down in (0, 1):
            for mirrored in (0, 1):
                inverted = (odd[:, None] * upside_down) ^ (odd[None, :] * mirrored)
                found.append(turned ^ inverted.astype(np.uint8))
    oriented = np.stack(found, axis=1)
    oriented[:, :, 0, 0] = 0
    return np.packbits(
        oriented.reshape(len(hashes), ORIENTATIONS, FREQUENCIES * FREQUENCIES), axis=2
    )


def coarse(hashes: Bits) -> NDArray[np.uint64]:
    """The 64 bits of the 8x8 lowest frequencies, one of them (the mean's) always 0."""
    # A row of 16 frequencies is two bytes; the first has the lower eight.
    low = np.ascontiguousarray(hashes[..., 0:FREQUENCIES:2])
    found: NDArray[np.uint64] = low.view(np.uint64)[..., 0]
    return found


@cache
def _projection(length_px: int) -> NDArray[np.float64]:
    """From pixels to frequencies along one axis, whole numbers: means over 1/32, then the cosines."""
    edges = np.arange(GRID + 1) * length_px / GRID
    pixels = np.arange(length_px)
    overlap = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    means = np.maximum(overlap, 0.0) * GRID / length_px
    positions = np.arange(GRID) + 0.5
    cosines = np.cos(np.pi * np.arange(FREQUENCIES)[:, None] * positions / GRID) / 4
    found: NDArray[np.float64] = np.round(cosines @ means * SCALE)
    return found
