"""Macenko's method: THE definition, for NumPy in float64, torch on any device, and CuPy.

Here stands the maths on a few numbers per tile; the passes over the pixels are ``pixels.py``'s, or a
faster body's.
"""

from dataclasses import dataclass

import numpy as np

from histocli.stain.arrays import Array, device_of, namespace_of
from histocli.stain.conventions import Convention
from histocli.stain.eigenvectors import cross_product, eigenvalues, smallest_axis
from histocli.stain.pixels import Pixels
from histocli.stain.status import Guards, StainStatus


@dataclass(frozen=True)
class StainEstimate:
    """Stains of a batch of tiles.

    Attributes:
        stain_matrices: Shape ``(N, 3, 2)``: columns hematoxylin, eosin, unit length.
        maximum_concentrations: Shape ``(N, 2)``.
        tissue_fraction: Shape ``(N,)``.
        status_codes: ``StainStatus`` values, shape ``(N,)``.
        usable: False where a guard forbids the use of the estimate, shape ``(N,)``.
    """

    stain_matrices: Array
    maximum_concentrations: Array
    tissue_fraction: Array
    status_codes: Array
    usable: Array


def estimate_stains(pixels: Pixels, convention: Convention, guards: Guards) -> StainEstimate:
    """Estimate the hematoxylin and eosin vectors of each tile by Macenko's method.

    Args:
        pixels: Of the tiles.
        convention: The constants.
        guards: When not to trust the result.

    Returns:
        Finite values for every tile; those that are not usable mean nothing.

    Source:
        Macenko et al., ISBI 2009. Differs in: the angle is measured from the mean optical density, so
        that neither the sign nor the order of the eigenvectors matters and tissue lies around zero.
    """
    count, mean, covariance = pixels.tissue_moments()
    xp = namespace_of(count)
    tissue_fraction = count / pixels.per_tile
    enough = (tissue_fraction >= guards.tissue_fraction) & (count >= guards.tissue_pixels)
    plane, ratio = _principal_plane(mean, covariance, enough)

    levels = (convention.angle_percentile, 100 - convention.angle_percentile)
    extremes = pixels.angle_percentiles(plane, levels)
    # (N, 2, 3): two stain vectors, each a turn of the plane's first axis towards its second.
    vectors = (
        xp.cos(extremes)[:, :, None] * plane[:, None, 0, :]
        + xp.sin(extremes)[:, :, None] * plane[:, None, 1, :]
    )
    swapped = xp.flip(vectors, axis=1)
    hematoxylin_first = vectors[:, 0, 0] > vectors[:, 1, 0]
    vectors = xp.where(hematoxylin_first[:, None, None], vectors, swapped)

    angle = stain_angle(vectors)
    distinct = (angle >= guards.stain_angle_degrees) & (ratio >= guards.eigenvalue_ratio)
    safe = xp.where((enough & distinct)[:, None, None], vectors, stand_in_vectors(vectors))
    maxima = pixels.concentration_percentiles(
        concentration_matrix(safe), convention.concentration_percentile
    )
    doubtful = ~distinct | (angle < guards.doubtful_angle_degrees)
    return judged(safe, maxima, tissue_fraction, doubtful, enough, distinct, guards)


def judged(
    vectors: Array,
    maxima: Array,
    tissue_fraction: Array,
    doubtful: Array,
    enough: Array,
    distinct: Array,
    guards: Guards,
) -> StainEstimate:
    """Put an estimate together and say what it is worth.

    Args:
        vectors: Hematoxylin and eosin, shape ``(N, 2, 3)``.
        maxima: Maximum concentrations, shape ``(N, 2)``.
        tissue_fraction: Shape ``(N,)``.
        doubtful: True where the two vectors may be one stain, shape ``(N,)``.
        enough: False where there is too little tissue, shape ``(N,)``.
        distinct: False where the two vectors must not be used, shape ``(N,)``.
        guards: The limits.
    """
    xp = namespace_of(maxima)
    positive = xp.all(maxima > 0, axis=-1)
    finite = xp.all(xp.isfinite(maxima), axis=-1)
    finite = finite & xp.all(xp.isfinite(vectors), axis=(-2, -1))
    sound = positive & finite & (stain_angle(vectors) <= guards.widest_angle_degrees)
    status = xp.where(sound, int(StainStatus.OK), int(StainStatus.ILL_CONDITIONED))
    status = xp.where(doubtful, int(StainStatus.SINGLE_STAIN), status)
    status = xp.where(enough, status, int(StainStatus.LOW_TISSUE))
    blank = tissue_fraction < guards.blank_fraction
    status = xp.where(blank, int(StainStatus.BLANK), status)
    return StainEstimate(
        stain_matrices=xp.matrix_transpose(vectors),
        maximum_concentrations=maxima,
        tissue_fraction=tissue_fraction,
        status_codes=xp.astype(status, xp.int64),
        usable=enough & distinct & sound,
    )


def concentration_matrix(vectors: Array) -> Array:
    """Least-squares map from optical density to concentrations, shape ``(N, 2, 3)``.

    Args:
        vectors: Unit stain vectors, shape ``(N, 2, 3)``.

    Returns:
        ``(S^T S)^-1 S^T`` in closed form: the Gram matrix of two unit vectors is [[1, c], [c, 1]].
    """
    xp = namespace_of(vectors)
    cosine = xp.sum(vectors[:, 0, :] * vectors[:, 1, :], axis=-1)[:, None, None]
    return (vectors - cosine * xp.flip(vectors, axis=1)) / (1 - cosine * cosine)


def stain_angle(vectors: Array) -> Array:
    """Angle between the two unit vectors ``(N, 2, 3)`` of each tile, degrees."""
    xp = namespace_of(vectors)
    one, other = vectors[:, 0, :], vectors[:, 1, :]
    # The arc cosine has no digits left where two vectors nearly agree.
    across = cross_product(one, other)
    squared = xp.sum(across * across, axis=-1)
    seen = squared > 1e-30
    sine = xp.where(seen, xp.sqrt(xp.where(seen, squared, xp.ones_like(squared))), 0 * squared)
    return xp.atan2(sine, xp.sum(one * other, axis=-1)) * (180 / np.pi)


def stand_in_vectors(vectors: Array) -> Array:
    """Two well separated unit vectors to compute with where a tile has none of its own."""
    xp = namespace_of(vectors)
    plain = xp.asarray(
        [[0.6, 0.7, 0.4], [0.2, 0.8, 0.56]], dtype=vectors.dtype, device=device_of(vectors)
    )
    plain = plain / xp.sqrt(xp.sum(plain * plain, axis=-1, keepdims=True))
    return xp.broadcast_to(plain[None, :, :], vectors.shape)


def _principal_plane(mean: Array, covariance: Array, enough: Array) -> tuple[Array, Array]:
    """Orthonormal basis ``(N, 2, 3)`` of the plane of the two largest principal components.

    The first axis is the mean's direction within the plane, so tissue lies around the angle zero. Beside
    it: the second eigenvalue over the first.
    """
    xp = namespace_of(mean)
    # Three distinct eigenvalues: equal ones have no gradient.
    stand_in = xp.asarray(
        [[3.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 1.0]],
        dtype=covariance.dtype,
        device=device_of(covariance),
    )
    seen = enough & (xp.linalg.trace(covariance) > 1e-12)
    covariance = xp.where(seen[:, None, None], covariance, stand_in[None, :, :])
    values = eigenvalues(covariance)
    ratio = xp.where(seen, values[:, 1] / values[:, 0], 0 * values[:, 0])
    normal = smallest_axis(covariance, values)
    inside = mean - xp.sum(mean * normal, axis=-1, keepdims=True) * normal
    squared = xp.sum(inside * inside, axis=-1)
    # A mean along the normal: any direction of the plane will do.
    aside = cross_product(
        normal,
        xp.flip(normal, axis=-1)
        + xp.asarray([0.3, 0.0, 0.0], dtype=normal.dtype, device=device_of(normal)),
    )
    inside = xp.where((squared > 1e-24)[:, None], inside, aside)
    first = inside / xp.sqrt(xp.sum(inside * inside, axis=-1, keepdims=True))
    return xp.stack([first, cross_product(normal, first)], axis=1), ratio
