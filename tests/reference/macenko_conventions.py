"""Macenko's method as cuCIM and as tiatoolbox compute it, one tile at a time, in float64 NumPy.

Every step stands on its own line, in the order in which it happens; nothing is shared with the
package. ``tests/stain/reference`` holds what the two packages themselves gave.
"""

import numpy as np
from numpy.typing import NDArray

Tile = NDArray[np.uint8]
Floats = NDArray[np.float64]

REFERENCE = np.array([[0.5626, 0.2159], [0.7201, 0.8012], [0.4062, 0.5581]])
REFERENCE_MAXIMA = np.array([1.9705, 1.0308])


def density_cucim(tile: Tile) -> Floats:
    """Optical density (3, P): grey levels are held within 1 and 240, so it is never negative."""
    grey = np.clip(tile.reshape(3, -1).astype(np.float64), 1, 240)
    return -np.log(grey / 240)


def tissue_cucim(tile: Tile) -> NDArray[np.bool_]:
    """Pixels (P,) that are dark in any channel: on 8 bits, those with a grey level below 170."""
    return density_cucim(tile).max(axis=0) > 0.345


def stains_cucim(tile: Tile) -> Floats:
    """Stain matrix (3, 2) of one tile (3, H, W); columns hematoxylin, eosin."""
    return _stains(density_cucim(tile)[:, tissue_cucim(tile)])


def maxima_cucim(tile: Tile) -> Floats:
    """99th percentiles (2,) of the concentrations of all pixels."""
    return _maxima(stains_cucim(tile), density_cucim(tile))


def normalize_cucim(tile: Tile) -> Tile:
    """Normalized tile (3, H, W), rounded to the nearest grey level, ties to even."""
    light = 240 * np.exp(-_matched(stains_cucim(tile), density_cucim(tile)))
    return np.rint(np.clip(light, 0, 255)).astype(np.uint8).reshape(tile.shape)


def density_tiatoolbox(tile: Tile) -> Floats:
    """Optical density (3, P): black counts as grey level 1, white as a millionth."""
    grey = np.maximum(tile.reshape(3, -1).astype(np.float64), 1)
    return np.maximum(-np.log(grey / 255), 1e-6)


def tissue_tiatoolbox(tile: Tile) -> NDArray[np.bool_]:
    """Pixels (P,) whose 8-bit CIE lightness, after a stretch of contrast, is below 0.8 of 255."""
    return lightness(stretch(tile)).reshape(-1) / 255 < 0.8


def stains_tiatoolbox(tile: Tile) -> Floats:
    """Stain matrix (3, 2) of one tile (3, H, W); columns hematoxylin, eosin."""
    return _stains(density_tiatoolbox(tile)[:, tissue_tiatoolbox(tile)])


def maxima_tiatoolbox(tile: Tile) -> Floats:
    """99th percentiles (2,) of the concentrations of all pixels."""
    return _maxima(stains_tiatoolbox(tile), density_tiatoolbox(tile))


def normalize_tiatoolbox(tile: Tile) -> Tile:
    """Normalized tile (3, H, W), cut to whole grey levels."""
    light = 255 * np.exp(-_matched(stains_tiatoolbox(tile), density_tiatoolbox(tile)))
    return np.floor(np.clip(light, 0, 255)).astype(np.uint8).reshape(tile.shape)


def stretch(tile: Tile) -> Tile:
    """Carry the 2nd percentile of all grey levels to 0 and the 98th to 255; fractions are cut off.

    The three channels are pooled: one pair of percentiles serves a tile. Equal percentiles give way
    to the extremes, and a tile of one single grey level stays as it is.
    """
    low, high = np.percentile(tile, [2, 98])
    if low >= high:
        low, high = float(tile.min()), float(tile.max())
    if low >= high:
        return tile
    share = (np.clip(tile.astype(np.float64), low, high) - low) / (high - low)
    return np.floor(share * 255).astype(np.uint8)


def lightness(tile: Tile) -> NDArray[np.int64]:
    """CIE lightness (H, W) of sRGB in the whole numbers of OpenCV's 8-bit ``COLOR_RGB2LAB``.

    Linear light is held in eighths of a grey level, luminance is a sum with weights in 4096ths, the
    cube root is held in 32768ths, and lightness 100 is 255. Equal to OpenCV 4.14 and 5.0 on every
    one of the 16.7 million colors.
    """
    light = np.arange(256) / 255
    linear = np.where(light <= 0.04045, light / 12.92, ((light + 0.055) / 1.055) ** 2.4)
    eighths = np.rint(8 * 255 * linear).astype(np.int64)

    luminance = np.arange(8 * 255 + 1) / (8 * 255)
    near_black = luminance * 841 / 108 + 16 / 116
    root = np.where(luminance < 216 / 24389, near_black, np.cbrt(luminance))
    roots = np.rint(32768 * root).astype(np.int64)

    red, green, blue = (eighths[channel] for channel in tile)
    index = (871 * red + 2929 * green + 296 * blue + 2048) // 4096
    # 296 = 116 * 2.55 and 1336934 = 16 * 2.55 * 32768, both rounded.
    return (296 * roots[index] - 1336934 + 16384) // 32768


def _stains(tissue: Floats) -> Floats:
    """Stain matrix (3, 2) from the optical density (3, K) of tissue."""
    _, vectors = np.linalg.eigh(np.cov(tissue))
    plane = vectors[:, [2, 1]]
    plane = plane * np.where(plane[0] < 0, -1, 1)
    along_first, along_second = plane.T @ tissue
    angles = np.arctan2(along_second, along_first)
    pair = [plane @ [np.cos(angle), np.sin(angle)] for angle in np.percentile(angles, [1, 99])]
    hematoxylin, eosin = sorted(pair, key=lambda vector: -float(vector[0]))
    return np.stack(
        [hematoxylin / np.linalg.norm(hematoxylin), eosin / np.linalg.norm(eosin)], axis=1
    )


def _maxima(stains: Floats, density: Floats) -> Floats:
    concentrations = np.linalg.lstsq(stains, density, rcond=None)[0]
    return np.asarray(np.percentile(concentrations, 99, axis=1))


def _matched(stains: Floats, density: Floats) -> Floats:
    """Optical density (3, P) with the reference's stains and maximum concentrations."""
    concentrations = np.linalg.lstsq(stains, density, rcond=None)[0]
    scale = REFERENCE_MAXIMA / np.percentile(concentrations, 99, axis=1)
    return np.asarray(REFERENCE @ (concentrations * scale[:, None]))
