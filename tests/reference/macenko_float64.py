"""Macenko's method for one tile, slow and obvious: the published steps in float64 NumPy."""

import numpy as np
from numpy.typing import NDArray

REFERENCE = np.array([[0.5626, 0.2159], [0.7201, 0.8012], [0.4062, 0.5581]])
REFERENCE_MAXIMA = np.array([1.9705, 1.0308])


def stains_of(tile: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Stain matrix (3, 2) of one tile (3, H, W)."""
    density = -np.log((tile.reshape(3, -1).astype(np.float64) + 1) / 240)
    tissue = density[:, (density >= 0.15).all(axis=0)]
    _, vectors = np.linalg.eigh(np.cov(tissue))
    plane = vectors[:, [1, 2]]
    if (plane[:, 1] @ tissue.mean(axis=1)) < 0:
        plane[:, 1] *= -1
    projected = plane.T @ tissue
    angles = np.arctan2(projected[1], projected[0])
    low, high = np.percentile(angles, [1, 99])
    one, other = (plane @ [np.cos(angle), np.sin(angle)] for angle in (low, high))
    pair = (one, other) if one[0] > other[0] else (other, one)
    return np.stack(pair, axis=1)


def normalized(tile: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Grey levels before rounding of one tile (3, H, W)."""
    density = -np.log((tile.reshape(3, -1).astype(np.float64) + 1) / 240)
    concentrations = np.linalg.lstsq(stains_of(tile), density, rcond=None)[0]
    maxima = np.percentile(concentrations, 99, axis=1)
    matched = concentrations * (REFERENCE_MAXIMA / maxima)[:, None]
    light = 240 * np.exp(-REFERENCE @ matched)
    return np.clip(light, 0, 255).reshape(tile.shape)
