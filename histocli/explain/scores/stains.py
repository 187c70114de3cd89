"""What the stains say of each pixel: tissue, nuclei, and how much of either stain."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from histocli.stain.conventions import find_convention
from histocli.stain.macenko import concentration_matrix
from histocli.stain.macenko_normalizer import MacenkoNormalizer
from histocli.stain.optical_density import optical_density
from histocli.stain.statistics import combine_channels

CONVENTION = "torchstain"
# Tissue absorbs in any channel: a rule on all of them would drop what eosin alone stains.
TISSUE_OPTICAL_DENSITY = 0.15
# Otsu's threshold on the hematoxylin of a tile is believed within these: a tile of nuclei alone must not
# lose its paler half, one without any must not have its darkest stroma taken for them.
NUCLEUS_CONCENTRATIONS = (0.5, 1.0)
BINS = 128


@dataclass(frozen=True)
class StainedPixels:
    """Of a batch of tiles, each array of shape ``(N, H, W)``.

    Attributes:
        tissue: True where a stain absorbs light.
        nuclei: True where there is much hematoxylin.
        hematoxylin: Concentration, never negative.
        eosin: Concentration, never negative.
    """

    tissue: NDArray[np.bool_]
    nuclei: NDArray[np.bool_]
    hematoxylin: NDArray[np.float64]
    eosin: NDArray[np.float64]


def stained_pixels(tiles: NDArray[np.uint8]) -> StainedPixels:
    """Separate the stains of each tile by Macenko's estimate, or the published stains where it has none.

    Args:
        tiles: uint8 RGB, shape ``(N, 3, H, W)``.
    """
    stains = MacenkoNormalizer(convention=CONVENTION).normalize(tiles).stain_matrices
    flat = tiles.reshape(len(tiles), 3, -1).astype(np.float64)
    density = optical_density(flat, find_convention(CONVENTION))
    inverse = concentration_matrix(np.swapaxes(stains, 1, 2))
    concentrations = combine_channels(inverse, density).clip(0)
    shape = (len(tiles), *tiles.shape[2:])
    tissue = (density > TISSUE_OPTICAL_DENSITY).any(axis=1).reshape(shape)
    hematoxylin, eosin = (concentrations[:, stain].reshape(shape) for stain in (0, 1))
    limits = [float(np.clip(_otsu(values), *NUCLEUS_CONCENTRATIONS)) for values in hematoxylin]
    nuclei = tissue & (hematoxylin > np.array(limits)[:, np.newaxis, np.newaxis])
    return StainedPixels(tissue, nuclei, hematoxylin, eosin)


def _otsu(values: NDArray[np.float64]) -> float:
    """The threshold that separates two classes best: the largest variance between them."""
    counts, edges = np.histogram(values, BINS)
    centers = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)[:-1]
    above = counts.sum() - below
    sums = np.cumsum(counts * centers)
    between = np.zeros(BINS - 1)
    both = (below > 0) & (above > 0)
    means = sums[:-1][both] / below[both] - (sums[-1] - sums[:-1][both]) / above[both]
    between[both] = below[both] * above[both] * means**2
    return float(edges[1:-1][between.argmax()])
