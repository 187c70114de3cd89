"""Eigenvalues and the smallest principal axis of symmetric 3x3 matrices, in closed form.

A batched ``eigh`` of 3x3 matrices synchronises with the host and is slow on every GPU.
"""

import math

from histocli.stain.arrays import Array, namespace_of


def cross_product(one: Array, other: Array) -> Array:
    """Cross product of vectors ``(N, 3)``."""
    xp = namespace_of(one)
    x, y, z = (one[:, i] for i in range(3))
    u, v, w = (other[:, i] for i in range(3))
    return xp.stack([y * w - z * v, z * u - x * w, x * v - y * u], axis=-1)


def eigenvalues(matrices: Array) -> Array:
    """Eigenvalues of symmetric matrices ``(N, 3, 3)``, descending, shape ``(N, 3)``.

    Source:
        Smith, Eigenvalues of a symmetric 3x3 matrix, Communications of the ACM 4(4), 1961.
    """
    xp = namespace_of(matrices)
    center = (matrices[:, 0, 0] + matrices[:, 1, 1] + matrices[:, 2, 2]) / 3
    a, b, c = (matrices[:, i, i] - center for i in range(3))
    d, e, f = matrices[:, 0, 1], matrices[:, 0, 2], matrices[:, 1, 2]
    squares = (a * a + b * b + c * c + 2 * (d * d + e * e + f * f)) / 6
    spread = squares > 0
    # Replaced before the root and the division: at zero their gradient is infinite.
    radius = xp.sqrt(xp.where(spread, squares, xp.ones_like(squares)))
    determinant = a * (b * c - f * f) - d * (d * c - f * e) + e * (d * f - b * e)
    cosine = determinant / (2 * radius * radius * radius)
    # The angle's gradient is infinite at its ends.
    limit = 1 - 1e-15
    angle = xp.acos(xp.clip(xp.where(spread, cosine, 0 * cosine), -limit, limit)) / 3
    radius = xp.where(spread, radius, xp.zeros_like(radius))
    largest = center + 2 * radius * xp.cos(angle)
    smallest = center + 2 * radius * xp.cos(angle + 2 * math.pi / 3)
    return xp.stack([largest, 3 * center - largest - smallest, smallest], axis=-1)


def smallest_axis(matrices: Array, values: Array) -> Array:
    """Unit eigenvector ``(N, 3)`` of the smallest eigenvalue; its sign is arbitrary.

    Args:
        matrices: Symmetric, shape ``(N, 3, 3)``.
        values: Their ``eigenvalues``.

    Returns:
        The third axis where the smallest eigenvalue is not distinct.
    """
    xp = namespace_of(matrices)
    # Every row of A - lambda I is orthogonal to the eigenvector; the longest cross product is the surest.
    rows = [
        xp.stack([matrices[:, i, j] - (values[:, 2] if i == j else 0) for j in range(3)], axis=-1)
        for i in range(3)
    ]
    best = cross_product(rows[0], rows[1])
    for one, other in ((rows[0], rows[2]), (rows[1], rows[2])):
        candidate = cross_product(one, other)
        longer = _squared(candidate) > _squared(best)
        best = xp.where(longer[:, None], candidate, best)
    squared = _squared(best)
    distinct = (squared > 1e-24 * values[:, 0] ** 4)[:, None]
    length = xp.sqrt(xp.where(distinct[:, 0], squared, xp.ones_like(squared)))
    third = 0 * best + xp.asarray([0.0, 0.0, 1.0], dtype=best.dtype, device=best.device)
    return xp.where(distinct, best / length[:, None], third)


def _squared(vectors: Array) -> Array:
    xp = namespace_of(vectors)
    return xp.sum(vectors * vectors, axis=-1)
