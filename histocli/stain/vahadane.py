"""Vahadane's method: stains by sparse non-negative matrix factorization of the optical density."""

from dataclasses import replace
from typing import Protocol

from histocli.stain import macenko
from histocli.stain.arrays import Array, device_of, namespace_of, take_along_last, wide_float
from histocli.stain.conventions import Convention
from histocli.stain.macenko import StainEstimate, concentration_matrix, judged, stain_angle
from histocli.stain.pixels import Pixels
from histocli.stain.statistics import combine_channels
from histocli.stain.status import Guards, StainStatus

# Weight of the codes' sum against half the squared error, as in StainTools and tiatoolbox.
REGULARIZATION = 0.1
# From Macenko's vectors: of 570 real tiles, all end within 0.2 degrees of where 120 steps lead.
STEPS, MOMENTUM = 20, 0.6
# Learned from at most so many pixels of tissue: all of a 96x96 tile. Of larger real tiles, all end
# within about 1 degree of what every pixel gives.
LARGEST_SAMPLE = 96 * 96
# Of the two codes' sum; below it the lesser stain explains noise. Real tiles have 0.03 and more.
SMALLEST_SHARE = 0.01
# The penalty draws the vectors together, on real tiles to three quarters of Macenko's angle, which the
# guards are made for.
WIDENING = 4 / 3
# At this cosine two vectors are one; it keeps 1 - cosine^2 from zero.
LARGEST_COSINE = 0.9999


class OpenPixels(Pixels, Protocol):
    """Pixels whose optical density can be read."""

    @property
    def density(self) -> Array:
        """Natural-log optical density, shape ``(N, 3, P)``."""

    @property
    def tissue(self) -> Array:
        """True where a pixel is tissue, shape ``(N, P)``."""


def estimate_stains(pixels: OpenPixels, convention: Convention, guards: Guards) -> StainEstimate:
    """Estimate the hematoxylin and eosin vectors of each tile by Vahadane's method.

    Args:
        pixels: Of the tiles.
        convention: The constants.
        guards: When not to trust the result.

    Returns:
        Finite values for every tile; those that are not usable mean nothing.

    Source:
        Vahadane et al., IEEE Transactions on Medical Imaging 35(8), 2016. Differs in: starts from
        Macenko's vectors and takes a fixed number of steps, so that it is deterministic; maximum
        concentrations are of least squares, as Macenko's are.
    """
    first = macenko.estimate_stains(pixels, convention, guards)
    xp = namespace_of(first.tissue_fraction)
    start = xp.matrix_transpose(first.stain_matrices)
    vectors, share = _learned(pixels, start)
    swapped = xp.flip(vectors, axis=1)
    hematoxylin_first = vectors[:, 0, 0] > vectors[:, 1, 0]
    vectors = xp.where(hematoxylin_first[:, None, None], vectors, swapped)

    angle = WIDENING * stain_angle(vectors)
    distinct = (angle >= guards.stain_angle_degrees) & (share >= SMALLEST_SHARE)
    distinct = distinct & first.usable
    safe = xp.where(distinct[:, None, None], vectors, start)
    maxima = pixels.concentration_percentiles(
        concentration_matrix(safe), convention.concentration_percentile
    )
    doubtful = ~distinct | (angle < guards.doubtful_angle_degrees)
    low = int(StainStatus.LOW_TISSUE)
    enough = (first.status_codes != low) & (first.status_codes != int(StainStatus.BLANK))
    found = judged(safe, maxima, first.tissue_fraction, doubtful, enough, distinct, guards)
    # Where Macenko's vectors may not be used there is nothing to start from: its status says why.
    status = xp.where(first.usable, found.status_codes, first.status_codes)
    return replace(found, status_codes=status)


def learn_stains(density: Array, start: Array) -> Array:
    """Two non-negative unit vectors that explain the pixels with the least, sparsest codes.

    They minimize ``|density - codes @ vectors|^2 / 2 + 0.1 * sum(codes)`` over vectors and codes, by
    turns: the codes exactly, then each vector exactly, with Nesterov's momentum.

    Args:
        density: Optical density of what counts, zero elsewhere, shape ``(N, 3, P)``.
        start: Shape ``(N, 2, 3)``.

    Returns:
        Shape ``(N, 2, 3)``.

    Source:
        Mairal et al., Online dictionary learning for sparse coding, ICML 2009. Differs in: the whole
        sample at every step.
    """
    vectors = previous = _unit(start, start)
    for _ in range(STEPS):
        ahead = _unit(vectors + MOMENTUM * (vectors - previous), vectors)
        previous, vectors = vectors, _improved(ahead, density)
    return vectors


def sparse_codes(vectors: Array, density: Array) -> tuple[Array, Array]:
    """How much of each vector a pixel holds: the non-negative lasso of two vectors, in closed form.

    Args:
        vectors: Non-negative unit vectors, shape ``(N, 2, 3)``.
        density: Shape ``(N, 3, P)``.

    Returns:
        Two codes of shape ``(N, P)``: where both are positive they solve two linear equations; where
        not, the greater stands alone.
    """
    xp = namespace_of(density)
    cosine = xp.clip(xp.sum(vectors[:, 0, :] * vectors[:, 1, :], axis=-1), 0.0, LARGEST_COSINE)
    vectors, cosine = (xp.astype(array, density.dtype) for array in (vectors, cosine[:, None]))
    along = combine_channels(vectors, density) - REGULARIZATION
    one, other = along[:, 0, :], along[:, 1, :]
    one_beside, other_beside = one - cosine * other, other - cosine * one
    rest = 1 - cosine * cosine
    one = xp.where(other_beside > 0, one_beside / rest, one)
    other = xp.where(one_beside > 0, other_beside / rest, other)
    return xp.clip(one, 0.0, None), xp.clip(other, 0.0, None)


def tissue_sample(density: Array, tissue: Array) -> Array:
    """Optical density of the tissue and zeros, at most ``LARGEST_SAMPLE`` pixels of each tile.

    Where there is more tissue, its pixels are taken at equal steps.

    Args:
        density: Shape ``(N, 3, P)``.
        tissue: Shape ``(N, P)``.
    """
    xp = namespace_of(density)
    values = xp.where(tissue[:, None, :], density, xp.zeros_like(density))
    if values.shape[2] <= LARGEST_SAMPLE:
        return values
    count = xp.sum(xp.astype(tissue, xp.int64), axis=-1, keepdims=True)
    place = xp.arange(LARGEST_SAMPLE, dtype=xp.int64, device=device_of(values))[None, :]
    rank = xp.where(count > LARGEST_SAMPLE, place * count // LARGEST_SAMPLE, place)
    tissue_first = xp.argsort(xp.astype(~tissue, xp.uint8), axis=-1, stable=True)
    chosen = take_along_last(tissue_first, rank)
    shape = (values.shape[0], 3, LARGEST_SAMPLE)
    return take_along_last(values, xp.broadcast_to(chosen[:, None, :], shape))


def _learned(pixels: OpenPixels, start: Array) -> tuple[Array, Array]:
    """Learned vectors ``(N, 2, 3)``, and the lesser stain's share ``(N,)`` of the codes."""
    xp = namespace_of(start)
    sample = tissue_sample(pixels.density, pixels.tissue)
    vectors = learn_stains(sample, start)
    one, other = (_total(code) for code in sparse_codes(vectors, sample))
    both = one + other
    return vectors, xp.minimum(one, other) / xp.where(both > 0, both, xp.ones_like(both))


def _improved(vectors: Array, density: Array) -> Array:
    """The best first vector for the codes and the second vector, then the best second one."""
    xp = namespace_of(density)
    codes = sparse_codes(vectors, density)
    shared = _total(codes[0] * codes[1])[:, None]
    explained = [
        xp.stack([_total(code * density[:, channel, :]) for channel in range(3)], axis=-1)
        for code in codes
    ]
    one = _unit(explained[0] - shared * vectors[:, 1, :], vectors[:, 0, :])
    other = _unit(explained[1] - shared * one, vectors[:, 1, :])
    return xp.stack([one, other], axis=1)


def _unit(vectors: Array, fallback: Array) -> Array:
    """The positive part at unit length; the fallback where there is none."""
    xp = namespace_of(vectors)
    positive = xp.clip(vectors, 0.0, None)
    squared = xp.sum(positive * positive, axis=-1, keepdims=True)
    seen = squared > 1e-24
    length = xp.sqrt(xp.where(seen, squared, xp.ones_like(squared)))
    return xp.where(seen, positive / length, fallback)


def _total(values: Array) -> Array:
    xp = namespace_of(values)
    return xp.sum(values, axis=-1, dtype=wide_float(values))
