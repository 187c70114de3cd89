"""Where a tile fails, and how that follows from a data set itself."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

# Typical distance of a tile from the median, times this, is far out: 1 in 16,000 were it Gaussian.
FAR_OUT = 4.0
QUARTILE_OF_GAUSSIAN = 0.6745
# Fewer tiles do not say what is usual.
FEWEST_TILES = 50


@dataclass(frozen=True)
class Thresholds:
    """Where a tile fails. The defaults reject what shows no tissue to learn from, and little else.

    They were set by looking at what lies on each side, on 9,000 tiles of PatchCamelyon (P, 1 micron
    per pixel), 2,500 of LC25000 (L) and 100 of Kather 2016 (K, magnified 1.5 times).

    Attributes:
        background_tissue_fraction: Less is ``background``. Fat with its thin septa starts at 0.02 (P)
            and 0.04 (K); below lie glass, dust and single torn cells.
        minimum_contrast: Less is ``background``, too: tinted glass has 0.035 at most, the faintest
            tissue 0.05 (P).
        minimum_sharpness: Less is ``blur``. Sound tissue has 0.5 to 2.5 (P), 0.36 to 1.4 (L), 0.25
            to 0.8 (K); a Gaussian blur of 3 px leaves 0.07 to 0.2 everywhere, with or without noise.
        minimum_relative_sharpness: Less, as a share of the data set's upper quartile, is ``blur``:
            what is sharp depends on the resolution. 1 in 400 tiles has less (P, L), most of them out of
            focus; after a blur of 1.5 px nearly all have.
        minimum_relative_fine_detail: Less, as a share of the data set's upper quartile, is ``blur``
            where relative sharpness is below 0.6, too. 1 in 600 tiles beside those above has less (P),
            none (L, K); after a blur of 1 px all of P and four in five of L have.
        minimum_brightness: Less is ``dark``. The darkest sound tiles have 0.16 (K) and 0.18 (P),
            crowded lymphocytes; tiles beyond the slide's edge have 0.10 to 0.15.
        minimum_density_saturation: Less is ``unsaturated``: the slide's edge, shadows and dust have
            0.03 to 0.13, pale but sound tissue 0.19 and more (P), 0.52 (L).
        maximum_black_fraction: More is ``black_edge``. Ink and pigment cover up to 0.04 of otherwise
            sound tiles (P), the darkest nuclei 0.01.
        maximum_cool_ink_fraction: More is ``pen``, green or blue. Without ink: 0.002 at most (P), 0.003
            (L, K); four inked tiles of P have 0.02 to 0.12.
        maximum_red_ink_fraction: More is ``pen``, red. Without ink: 0.0004 at most (P), 0.0015 (L),
            0.006 (K); a tile full of red blood cells (K) has 0.04.
        maximum_black_ink_fraction: More is ``pen``, black. Without ink: 0.01 (P) and none (L, K).
        maximum_fold_fraction: More is ``fold``. Nearly all tiles of P above 0.12 have one; glands
            around a pale lumen reach 0.11 to 0.153 (K).
        maximum_soft_fold_fraction: More is ``fold``. Of the 32 tiles of P above 0.13 all but four have a
            fold or are out of focus; L has 0.094 at most, one tile of K 0.3.
        maximum_mean_density: More is ``over_stained``. Crowded lymphocytes in a dark stain reach 1.6
            (P) and, two tiles of K, 1.88; L 0.86 at most.
        maximum_nuclear_density: More is ``over_stained``, too. Crowded lymphocytes reach 2.18 (P), 2.1
            (L) and, one tile apart, 2.15 (K); the five tiles of P above have folds or hardly any light
            between the nuclei.
        minimum_strong_density: Less is ``under_stained``: nothing as dark as a nucleus. 1 in 700 sound
            tiles of P and of L has less.
        minimum_peak_nuclear_density: Less is ``under_stained``, too, where eosin is weak and tissue
            covers a fifth: 1 in 800 tiles of P and of L beside those above, pale fibers mostly.
        maximum_blockiness: More is ``compression``. JPEG of quality 75 (P, L) leaves 0.14 at most,
            quality 20 0.1 to 0.4, quality 10 0.25 to 0.6.
    """

    background_tissue_fraction: float = 0.02
    minimum_contrast: float = 0.035
    minimum_sharpness: float = 0.24
    minimum_relative_sharpness: float = 0.40
    minimum_relative_fine_detail: float = 0.30
    minimum_brightness: float = 0.14
    minimum_density_saturation: float = 0.15
    maximum_black_fraction: float = 0.10
    maximum_cool_ink_fraction: float = 0.01
    maximum_red_ink_fraction: float = 0.01
    maximum_black_ink_fraction: float = 0.03
    maximum_fold_fraction: float = 0.155
    maximum_soft_fold_fraction: float = 0.135
    maximum_mean_density: float = 1.65
    maximum_nuclear_density: float = 2.2
    minimum_strong_density: float = 0.5
    minimum_peak_nuclear_density: float = 0.5
    maximum_blockiness: float = 0.16


# What a data set can say of itself. Shares of ink, folds or black are zero in sound tiles of any data
# set, so their thresholds are not fitted.
FITTED: Mapping[str, str] = {
    "minimum_sharpness": "sharpness",
    "minimum_brightness": "brightness",
    "minimum_density_saturation": "density_saturation",
    "maximum_mean_density": "mean_density",
    "minimum_strong_density": "strong_density",
    "maximum_blockiness": "blockiness",
}


def fit_thresholds(
    stated: Thresholds, measures: Mapping[str, NDArray[np.float64]], keep: frozenset[str]
) -> Thresholds:
    """Set thresholds where a data set's own tiles end.

    On the logarithm of a measure, the half of the quartiles' distance on the threshold's own side is
    the typical deviation; the threshold lies six of them (4 standard deviations of a Gaussian) from
    the median. Damaged tiles, as long as they are fewer than a quarter, hardly move it.

    Args:
        stated: Thresholds to start from.
        measures: Of the tiles with tissue that nothing else condemns, by name.
        keep: Thresholds that the user stated: they stay.
    """
    found = {}
    for name, measure in FITTED.items():
        values = measures[measure]
        values = np.log(values[np.isfinite(values) & (values > 0)])
        if name in keep or len(values) < FEWEST_TILES:
            continue
        low, median, high = np.percentile(values, (25, 50, 75))
        if name.startswith("minimum"):
            limit = median - FAR_OUT * (median - low) / QUARTILE_OF_GAUSSIAN
        else:
            limit = median + FAR_OUT * (high - median) / QUARTILE_OF_GAUSSIAN
        found[name] = float(f"{np.exp(limit):.4g}")
    return replace(stated, **found)
