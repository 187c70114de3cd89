"""Statistics of the colors of a tile: all that a baseline without shapes can know."""

import numpy as np
from numpy.typing import NDArray

PERCENTILES = (5, 25, 50, 75, 95)
# Mean natural-log optical density over the channels from which on a pixel counts as tissue.
TISSUE_DENSITY = 0.15
# Share of blue in the mean density of the tissue. Measured on PatchCamelyon it parts the purple tiles
# (median 0.19, 99 of 100 below 0.24) from the brown ones (median 0.30, 99 of 100 above 0.25).
BLUE_SHARE_OF_PURPLE = 0.25
LEAST_TISSUE = 0.02


def color_features(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Mean, standard deviation and five percentiles of each channel.

    Args:
        pixels: uint8 RGB, shape ``(N, 3, H, W)``.

    Returns:
        Shape ``(N, 21)``.
    """
    values = pixels.reshape(*pixels.shape[:2], -1).astype(np.float64)
    levels = np.percentile(values, PERCENTILES, axis=2).transpose(1, 0, 2)
    parts = [values.mean(axis=2), values.std(axis=2), levels.reshape(len(values), -1)]
    return np.concatenate(parts, axis=1)


def tissue_and_blue_share(
    pixels: NDArray[np.uint8],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How much of a tile is tissue, and how much of the tissue's density is in the blue channel.

    Args:
        pixels: uint8 RGB, shape ``(N, 3, H, W)``.

    Returns:
        Share of tissue and share of blue, each ``(N,)``; the latter is NaN where there is no tissue.
    """
    density = -np.log((pixels.astype(np.float64) + 1) / 256)
    is_tissue = density.mean(axis=1) > TISSUE_DENSITY
    tissue = is_tissue.mean(axis=(1, 2))
    totals = (density * is_tissue[:, np.newaxis]).sum(axis=(2, 3))
    whole = totals.sum(axis=1)
    blue = np.full(len(pixels), np.nan)
    np.divide(totals[:, 2], whole, out=blue, where=whole > 0)
    return tissue, blue


def stain_look(tissue: float, blue: float) -> str:
    """``purple`` or ``brown`` by the share of blue in the density, or too little tissue to say."""
    if tissue < LEAST_TISSUE:
        return "too little tissue"
    return "purple" if blue < BLUE_SHARE_OF_PURPLE else "brown"


def tissue_quarter(tissue: float) -> str:
    """The share of tissue in words: a quarter, sorted as text like the shares."""
    quarter = min(3, int(tissue * 4))
    return ("0 to 25 %", "25 to 50 %", "50 to 75 %", "75 to 100 %")[quarter]
