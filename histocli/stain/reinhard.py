"""Reinhard's method: give a tile the means and standard deviations of a reference in CIE L*a*b*."""

from collections.abc import Sequence
from dataclasses import dataclass

from histocli.stain.arrays import Array, device_of, namespace_of
from histocli.stain.color_reference import ColorReference
from histocli.stain.color_spaces import grey_levels_from_lab, lab_from_grey_levels
from histocli.stain.statistics import masked_moments
from histocli.stain.status import Guards, StainStatus, worse_of

# In L*a*b* units: less than one grey level in one pixel of a thousand.
SMALLEST_DEVIATION = 0.01


@dataclass(frozen=True)
class ColorStatistics:
    """Colors of a batch of tiles.

    Attributes:
        means: Of L*, a* and b*, shape ``(N, 3)``.
        standard_deviations: Of L*, a* and b*, with the divisor n, shape ``(N, 3)``.
        tissue_fraction: Shape ``(N,)``.
        status_codes: ``StainStatus`` values, shape ``(N,)``.
    """

    means: Array
    standard_deviations: Array
    tissue_fraction: Array
    status_codes: Array


def estimate_color_statistics(
    grey: Array, tissue: Array, guards: Guards, *, tissue_only: bool = False
) -> ColorStatistics:
    """Measure the colors of each tile.

    Args:
        grey: Grey levels 0 to 255, shape ``(N, 3, P)``.
        tissue: True where a pixel is tissue, shape ``(N, P)``.
        guards: When not to trust the result.
        tissue_only: Measure tissue alone; torchstain measures every pixel.

    Returns:
        Finite values for every tile; those whose status is not OK mean nothing.
    """
    xp = namespace_of(grey)
    counted = tissue if tissue_only else xp.ones_like(tissue)
    count, means, covariance = masked_moments(lab_from_grey_levels(grey), counted)
    unbiased = xp.stack([covariance[:, i, i] for i in range(3)], axis=-1)
    below = xp.clip(count, 1.0, None)
    variances = unbiased * ((below - 1) / below)[:, None]
    # A constant tile's rounding errors may be negative, and a root has no gradient at zero.
    varies = variances > SMALLEST_DEVIATION**2
    deviations = xp.sqrt(xp.where(varies, variances, xp.ones_like(variances)))
    deviations = xp.where(varies, deviations, xp.zeros_like(deviations))

    tissue_fraction = xp.sum(xp.astype(tissue, count.dtype), axis=-1) / tissue.shape[1]
    status = xp.full(count.shape, int(StainStatus.OK), dtype=xp.int64, device=device_of(count))
    status = worse_of(status, tissue_fraction < guards.blank_fraction, StainStatus.BLANK)
    tissue_pixels = tissue_fraction * tissue.shape[1]
    few = (tissue_fraction < guards.tissue_fraction) | (tissue_pixels < guards.tissue_pixels)
    status = worse_of(status, few, StainStatus.LOW_TISSUE)
    status = worse_of(status, ~xp.all(varies, axis=-1), StainStatus.ILL_CONDITIONED)
    return ColorStatistics(means, deviations, tissue_fraction, status)


def as_colors(references: Sequence[ColorReference], like: Array) -> tuple[Array, Array]:
    """Means and standard deviations of references, ``(N, 3)``, in the library and where an array is."""
    xp = namespace_of(like)
    columns = (
        [reference.means for reference in references],
        [reference.standard_deviations for reference in references],
    )
    means, deviations = (
        xp.reshape(xp.asarray(rows, dtype=like.dtype, device=device_of(like)), (-1, 3))
        for rows in columns
    )
    return means, deviations


def color_stretch(deviations: Array, target_deviations: Array) -> Array:
    """By how much the spread of each color has to grow, shape ``(N, 3)``; of none, the target's own."""
    xp = namespace_of(deviations)
    return target_deviations / xp.where(deviations > 0, deviations, xp.ones_like(deviations))


def apply_color_statistics(
    grey: Array, means: Array, stretch: Array, target_means: Array, changeable: Array
) -> Array:
    """Bring tiles to other colors: ``(lab - mean) * stretch + target_mean``.

    Args:
        grey: Grey levels 0 to 255, shape ``(N, 3, P)``.
        means: Of the same tiles.
        stretch: See ``color_stretch``.
        target_means: Shape ``(N, 3)`` or ``(1, 3)``.
        changeable: True where a pixel may change, such as the tissue of usable tiles, shape ``(N, P)``.

    Returns:
        Grey levels before rounding, ``(N, 3, P)``.

    Source:
        Reinhard et al., IEEE Computer Graphics and Applications 21(5), 2001. Differs in: CIE L*a*b* for
        Ruderman's, as torchstain has it.
    """
    xp = namespace_of(grey)
    means, stretch, target_means = (
        xp.astype(array, grey.dtype)[:, :, None] for array in (means, stretch, target_means)
    )
    light = grey_levels_from_lab((lab_from_grey_levels(grey) - means) * stretch + target_means)
    return xp.where(changeable[:, None, :], light, grey)
