"""Macenko's method: THE definition, for NumPy in float64, torch on any device, and CuPy.

Faster bodies of the functions here may exist elsewhere; the maths stands once.
"""

from dataclasses import dataclass

import numpy as np

from histocli.stain.arrays import Array, device_of, namespace_of
from histocli.stain.conventions import Convention
from histocli.stain.statistics import combine_channels, masked_moments, percentiles
from histocli.stain.status import Guards, StainStatus


@dataclass(frozen=True)
class StainEstimate:
    """Stains of a batch of tiles.

    Attributes:
        stain_matrices: Shape ``(N, 3, 2)``: columns hematoxylin, eosin, unit length.
        maximum_concentrations: Shape ``(N, 2)``.
        tissue_fraction: Shape ``(N,)``.
        status_codes: ``StainStatus`` values, shape ``(N,)``.
    """

    stain_matrices: Array
    maximum_concentrations: Array
    tissue_fraction: Array
    status_codes: Array


def estimate_stains(
    optical_density: Array, convention: Convention, guards: Guards
) -> StainEstimate:
    """Estimate the hematoxylin and eosin vectors of each tile by Macenko's method.

    Args:
        optical_density: Natural-log optical density, shape ``(N, 3, P)``.
        convention: The constants.
        guards: When not to trust the result.

    Returns:
        Finite values for every tile; those whose status is not OK mean nothing.

    Source:
        Macenko et al., ISBI 2009. Differs in: the angle is measured from the mean optical density, so
        that neither the sign nor the order of the eigenvectors matters and no angle can wrap.
    """
    xp = namespace_of(optical_density)
    tissue = xp.all(optical_density >= convention.tissue_threshold, axis=1)
    count, mean, covariance = masked_moments(optical_density, tissue)
    tissue_fraction = count / optical_density.shape[2]
    enough = tissue_fraction >= guards.tissue_fraction
    plane = xp.astype(_principal_plane(mean, covariance, enough), optical_density.dtype)

    projected = combine_channels(plane, optical_density)
    angle = xp.atan2(projected[:, 1, :], projected[:, 0, :])
    levels = (convention.angle_percentile, 100 - convention.angle_percentile)
    extremes = percentiles(angle, levels, tissue)
    # (N, 2, 3): two stain vectors, each a turn of the plane's first axis towards its second.
    vectors = (
        xp.cos(extremes)[:, :, None] * plane[:, None, 0, :]
        + xp.sin(extremes)[:, :, None] * plane[:, None, 1, :]
    )
    swapped = xp.flip(vectors, axis=1)
    hematoxylin_first = vectors[:, 0, 0] > vectors[:, 1, 0]
    vectors = xp.where(hematoxylin_first[:, None, None], vectors, swapped)

    distinct = _stain_angle(vectors) >= guards.stain_angle_degrees
    usable = enough & distinct
    safe = xp.where(usable[:, None, None], vectors, _reference_like(vectors))
    concentrations = combine_channels(concentration_matrix(safe), optical_density)
    top = (convention.concentration_percentile,)
    maxima = xp.concat([percentiles(concentrations[:, k, :], top) for k in range(2)], axis=-1)

    status = xp.where(xp.all(maxima > 0, axis=-1), StainStatus.OK, StainStatus.ILL_CONDITIONED)
    status = xp.where(distinct, status, StainStatus.SINGLE_STAIN)
    status = xp.where(enough, status, StainStatus.LOW_TISSUE)
    blank = tissue_fraction < guards.blank_fraction
    status = xp.where(blank, StainStatus.BLANK, status)
    return StainEstimate(
        stain_matrices=xp.matrix_transpose(safe),
        maximum_concentrations=maxima,
        tissue_fraction=tissue_fraction,
        status_codes=xp.astype(status, xp.int64),
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


def normalization_matrices(
    estimate: StainEstimate,
    reference_matrix: Array,
    reference_maxima: Array,
    guards: Guards,
) -> tuple[Array, Array]:
    """The 3x3 matrix per tile that carries its optical density to the reference's stains.

    Args:
        estimate: Of the tiles.
        reference_matrix: Shape ``(3, 2)``.
        reference_maxima: Shape ``(2,)``.
        guards: When not to trust the result.

    Returns:
        Matrices ``(N, 3, 3)``, the identity where the status is not OK; and the status, where a scale
        beyond the guard has become ILL_CONDITIONED.
    """
    xp = namespace_of(reference_matrix, estimate.stain_matrices)
    maxima = estimate.maximum_concentrations
    scale = reference_maxima / xp.where(maxima > 0, maxima, xp.ones_like(maxima))
    sane = xp.all(scale <= guards.concentration_scale, axis=-1)
    ok = estimate.status_codes == StainStatus.OK
    status = xp.where(ok & ~sane, StainStatus.ILL_CONDITIONED, estimate.status_codes)
    to_concentrations = concentration_matrix(xp.matrix_transpose(estimate.stain_matrices))
    scaled = scale[:, :, None] * to_concentrations
    matrices = (
        reference_matrix[None, :, 0, None] * scaled[:, None, 0, :]
        + reference_matrix[None, :, 1, None] * scaled[:, None, 1, :]
    )
    usable = (status == StainStatus.OK)[:, None, None]
    identity = xp.eye(3, dtype=matrices.dtype, device=device_of(matrices))
    return xp.where(usable, matrices, xp.broadcast_to(identity, matrices.shape)), status


def _principal_plane(mean: Array, covariance: Array, enough: Array) -> Array:
    """Orthonormal basis ``(N, 2, 3)`` of the plane of the two largest principal components.

    The first axis is the mean's direction within the plane, so tissue lies around the angle zero.
    """
    xp = namespace_of(mean)
    # A stand-in with three distinct eigenvalues: equal ones have no gradient, and eigenvalues of what
    # is not finite crash some builds.
    stand_in = xp.asarray(
        [[3.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 1.0]],
        dtype=covariance.dtype,
        device=device_of(covariance),
    )
    covariance = xp.where(enough[:, None, None], covariance, stand_in[None, :, :])
    _, eigenvectors = xp.linalg.eigh(covariance)
    first, second = eigenvectors[:, :, 2], eigenvectors[:, :, 1]
    along_first = xp.sum(mean * first, axis=-1)
    along_second = xp.sum(mean * second, axis=-1)
    squared = along_first**2 + along_second**2
    seen = squared > 1e-24
    # Replaced before the root: at zero its gradient is infinite.
    length = xp.sqrt(xp.where(seen, squared, xp.ones_like(squared)))
    cosine = xp.where(seen, along_first / length, xp.ones_like(length))[:, None]
    sine = xp.where(seen, along_second / length, xp.zeros_like(length))[:, None]
    return xp.stack([cosine * first + sine * second, cosine * second - sine * first], axis=1)


def _stain_angle(vectors: Array) -> Array:
    """Angle between the two vectors of each tile, degrees."""
    xp = namespace_of(vectors)
    cosine = xp.sum(vectors[:, 0, :] * vectors[:, 1, :], axis=-1)
    return xp.acos(xp.clip(cosine, -1.0, 1.0)) * (180 / np.pi)


def _reference_like(vectors: Array) -> Array:
    """Two well separated unit vectors to compute with where a tile has none of its own."""
    xp = namespace_of(vectors)
    plain = xp.asarray(
        [[0.6, 0.7, 0.4], [0.2, 0.8, 0.56]], dtype=vectors.dtype, device=device_of(vectors)
    )
    plain = plain / xp.sqrt(xp.sum(plain * plain, axis=-1, keepdims=True))
    return xp.broadcast_to(plain[None, :, :], vectors.shape)
