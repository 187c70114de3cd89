"""How much of a tile lies under a fold that is told by its lack of focus."""

import numpy as np
from scipy import ndimage

from histocli.qc.measures.densities import DENSITY, Densities, window_px
from histocli.qc.measures.pixels import Tiles, Values, fraction, tissue_mask

SMOOTHING_PX = 0.8
WINDOW_SHARE = 1 / 8
LOWEST_DENSITY, TIMES_THE_MEDIAN = 0.3, 1.15
FOCUS_PERCENTILE, SHARE_OF_FOCUS = 75, 0.4
# Where nothing changes there is no focus to speak of.
LEAST_GRADIENT = 1e-4


def soft_fold_fraction(tiles: Tiles) -> Values:
    """Share of pixels in patches denser than the tile's tissue and out of focus beside the rest of it.

    The upper layer of a fold lies above the plane of focus; a fold of pale tissue is not as dark as
    lymphocytes are, but soft. In a square of an eighth of the tile's side the mean optical density of
    red exceeds 0.3 and 1.15 times the median of the tissue, and the detail (mean squared Laplacian over
    mean squared gradient) is less than 0.4 of the upper quartile of the tissue's.

    Args:
        tiles: uint8 RGB, shape ``(N, 3, H, W)``.

    Returns:
        0 to 1, shape ``(N,)``.
    """
    red, tissue = DENSITY[tiles[:, 0]], tissue_mask(tiles)
    side = window_px(tiles, WINDOW_SHARE)
    detail, mean = _detail(red, side), _mean(red, side)
    found = np.zeros(tissue.shape, np.bool_)
    for place, mask in enumerate(tissue):
        if mask.any():
            median = np.median(red[place][mask])
            focus = np.percentile(detail[place][mask], FOCUS_PERCENTILE)
            dense = mean[place] > max(LOWEST_DENSITY, TIMES_THE_MEDIAN * median)
            found[place] = dense & (detail[place] < SHARE_OF_FOCUS * focus)
    return fraction(found)


def _mean(values: Densities, side_px: int) -> Densities:
    found: Densities = ndimage.uniform_filter(values, (1, side_px, side_px), mode="nearest")
    return found


def _detail(density: Densities, side_px: int) -> Densities:
    smooth = ndimage.gaussian_filter(density, (0, SMOOTHING_PX, SMOOTHING_PX), mode="nearest")
    laplacian = np.zeros_like(smooth)
    gradient = np.zeros_like(smooth)
    for axis in (1, 2):
        laplacian += ndimage.correlate1d(smooth, [1, -2, 1], axis, mode="nearest")
        gradient += ndimage.correlate1d(smooth, [-0.5, 0, 0.5], axis, mode="nearest") ** 2
    share: Densities = _mean(laplacian**2, side_px) / (_mean(gradient, side_px) + LEAST_GRADIENT)
    return share
