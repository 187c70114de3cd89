"""Masked covariance and percentiles, a batch of tiles at once.

Every result belongs to its own tile: sums and products run elementwise along the pixels, so a tile
gives the same numbers whatever else is in its batch.
"""

import math

from histocli.stain.arrays import Array, device_of, namespace_of, take_along_last, wide_float

BLOCK_PX = 16384


def masked_moments(values: Array, mask: Array) -> tuple[Array, Array, Array]:
    """Count, mean and covariance of the counted pixels, accumulated in float64.

    Args:
        values: Shape ``(N, 3, P)``.
        mask: True where a pixel counts, shape ``(N, P)``.

    Returns:
        Counts ``(N,)``, means ``(N, 3)``, covariances ``(N, 3, 3)`` with the divisor n - 1. Both are
        zero where fewer than two pixels count.
    """
    xp = namespace_of(values, mask)
    counted = xp.astype(mask, wide_float(values))
    count = _total(counted)
    channels = [
        xp.astype(values[:, channel, :], wide_float(values)) * counted for channel in range(3)
    ]
    enough = xp.where(count >= 2, count, xp.full_like(count, math.inf))
    mean = xp.stack([_total(channel) / enough for channel in channels], axis=-1)
    scatter = {(i, j): _total(channels[i] * channels[j]) for i in range(3) for j in range(i, 3)}
    rows = [
        xp.stack(
            [
                (scatter[min(i, j), max(i, j)] - count * mean[:, i] * mean[:, j]) / (enough - 1)
                for j in range(3)
            ],
            axis=-1,
        )
        for i in range(3)
    ]
    return count, mean, xp.stack(rows, axis=-2)


def percentiles(values: Array, levels: tuple[float, ...], mask: Array | None = None) -> Array:
    """Linearly interpolated percentiles along the last axis, as ``numpy.percentile`` has them.

    Args:
        values: Shape ``(N, P)``.
        levels: Percentiles wanted, in percent.
        mask: True where a value counts, shape ``(N, P)``; all count when None.

    Returns:
        Shape ``(N, len(levels))``; zero where nothing counts.
    """
    xp = namespace_of(values)
    if mask is None:
        counts = xp.full((values.shape[0], 1), values.shape[1], device=device_of(values))
    else:
        counts = xp.sum(xp.astype(mask, xp.int64), axis=-1, keepdims=True)
        values = xp.where(mask, values, xp.full_like(values, math.inf))
    ordered = xp.sort(values, axis=-1)
    last = xp.clip(xp.astype(counts, wide_float(values)) - 1, 0.0, None)
    rank = last * xp.asarray(
        [level / 100 for level in levels], dtype=wide_float(values), device=device_of(values)
    )
    below = xp.floor(rank)
    low = take_along_last(ordered, xp.astype(below, xp.int64))
    high = take_along_last(ordered, xp.astype(xp.ceil(rank), xp.int64))
    # Nothing counted: both are the filling, and infinity minus infinity is no number.
    low, high = (xp.where(counts > 0, value, xp.zeros_like(value)) for value in (low, high))
    return low + (high - low) * xp.astype(rank - below, values.dtype)


def combine_channels(matrices: Array, values: Array) -> Array:
    """Matrix times pixel for every pixel: ``(N, K, C)`` and ``(N, C, P)`` give ``(N, K, P)``.

    Written as sums of products, because a batched matrix product may round differently with the size
    of the batch.
    """
    xp = namespace_of(matrices, values)
    rows = []
    for k in range(matrices.shape[1]):
        row = matrices[:, k, 0, None] * values[:, 0, :]
        for channel in range(1, matrices.shape[2]):
            row = row + matrices[:, k, channel, None] * values[:, channel, :]
        rows.append(row)
    return xp.stack(rows, axis=1)


def _total(values: Array) -> Array:
    """Sum along the last axis, in blocks: a library may share out a single long row among threads."""
    xp = namespace_of(values)
    count, pixels = values.shape
    whole = pixels // BLOCK_PX * BLOCK_PX
    total = xp.sum(values[:, whole:], axis=-1)
    if whole:
        blocks = xp.reshape(values[:, :whole], (count, whole // BLOCK_PX, BLOCK_PX))
        total = total + xp.sum(xp.sum(blocks, axis=-1), axis=-1)
    return total
