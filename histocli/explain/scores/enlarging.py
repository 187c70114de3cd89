"""Bilinear interpolation from a layer's grid to the pixels of a tile, as a matrix."""

import numpy as np
from numpy.typing import NDArray


def interpolation_matrix(cells: int, pixels: int) -> NDArray[np.float64]:
    """Weights with which each pixel of a line sees each cell of a coarser or finer line.

    Cells and pixels divide the same length (``align_corners=False``); the outermost cells reach to the
    border; where the line shrinks the filter widens (``antialias=True``). No weight is negative.

    Returns:
        Shape ``(pixels, cells)``, rows sum to 1.
    """
    step = cells / pixels
    position = (np.arange(pixels) + 0.5) * step - 0.5
    distance = np.abs(np.arange(cells) - position[:, np.newaxis]) / max(1.0, step)
    weights = np.clip(1 - distance, 0, None)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def enlarge(grids: NDArray[np.float64], height: int, width: int) -> NDArray[np.float64]:
    """Interpolate maps ``(N, h, w)`` to ``(N, height, width)``."""
    rows = interpolation_matrix(grids.shape[1], height)
    columns = interpolation_matrix(grids.shape[2], width)
    # einsum, not a product of BLAS: the same bytes for any number of threads.
    return np.einsum("nhx,wx->nhw", np.einsum("yh,nhw->nyw", rows, grids), columns)
