"""Reinhard's method: give a tile the means and standard deviations of a reference in CIE L*a*b*."""

from dataclasses import dataclass

from histocli.stain.arrays import Array, device_of, namespace_of
from histocli.stain.color_reference import ColorReference
from histocli.stain.color_spaces import grey_levels_from_lab, lab_from_grey_levels
from histocli.stain.statistics import masked_moments
from histocli.stain.status import Guards, StainStatus, worse_of

# In L*a*b* units: less than one grey level in one pixel of a thousand.
SMALLEST_DEVIATION = 0.01
# The modified method's stretch of a tile whose lightness varies more than the reference's.
LEAST_STRETCH = 0.05


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
    status = worse_of(status, tissue_fraction < guards.tissue_fraction, StainStatus.LOW_TISSUE)
    status = worse_of(status, ~xp.all(varies, axis=-1), StainStatus.ILL_CONDITIONED)
    return ColorStatistics(means, deviations, tissue_fraction, status)


def apply_color_statistics(
    grey: Array,
    statistics: ColorStatistics,
    reference: ColorReference,
    guards: Guards,
    *,
    changeable: Array | None = None,
    modified: bool = False,
) -> tuple[Array, Array]:
    """Bring tiles to a reference: ``(lab - mean) * reference_deviation / deviation + reference_mean``.

    The modified method keeps the mean of L* and stretches it by ``1 + q``, where q is the reference's
    deviation less the tile's over the reference's, or 0.05 where that is not positive; a* and b* take the
    reference's means and keep their deviations.

    Args:
        grey: Grey levels 0 to 255, shape ``(N, 3, P)``.
        statistics: Of the same tiles.
        reference: What to bring them to.
        guards: When not to trust the result.
        changeable: True where a pixel may change, such as the tissue, shape ``(N, P)``; all when None.
        modified: Use the modified method.

    Returns:
        Grey levels before rounding, ``(N, 3, P)``; and the status, where a stretch beyond the guard has
        become ILL_CONDITIONED. A tile whose status is not OK keeps its grey levels.

    Source:
        Reinhard et al., IEEE Computer Graphics and Applications 21(5), 2001; modified: Roy et al.,
        EUSIPCO 2021. Differs in: CIE L*a*b* for Ruderman's, as torchstain has it.
    """
    xp = namespace_of(grey)
    wide = statistics.means.dtype
    target_means, target_deviations = (
        xp.asarray(values, dtype=wide, device=device_of(grey))[None, :]
        for values in (reference.means, reference.standard_deviations)
    )
    means, deviations = statistics.means, statistics.standard_deviations
    if modified:
        lightness = xp.asarray([True, False, False], device=device_of(grey))[None, :]
        stretch = (target_deviations - deviations) / target_deviations
        stretch = xp.where(stretch > 0, stretch, LEAST_STRETCH + 0 * stretch)
        scale = xp.where(lightness, 1 + stretch, xp.ones_like(stretch))
        centers = xp.where(lightness, means, target_means)
    else:
        seen = deviations > 0
        scale = target_deviations / xp.where(seen, deviations, xp.ones_like(deviations))
        centers = xp.broadcast_to(target_means, means.shape)
    sane = xp.all(scale <= guards.concentration_scale, axis=-1)
    status = worse_of(statistics.status_codes, ~sane, StainStatus.ILL_CONDITIONED)

    means, scale, centers = (
        xp.astype(array, grey.dtype)[:, :, None] for array in (means, scale, centers)
    )
    lab = lab_from_grey_levels(grey)
    light = grey_levels_from_lab((lab - means) * scale + centers)
    usable = (status == int(StainStatus.OK))[:, None, None]
    if changeable is not None:
        usable = usable & changeable[:, None, :]
    return xp.where(usable, light, grey), status
