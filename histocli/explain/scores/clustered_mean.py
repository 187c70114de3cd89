"""Means over tiles, with bootstrap intervals that respect patients and slides."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from histocli.metrics.bootstrap import CLUSTERED, STRATIFIED
from histocli.metrics.definitions.arrays import FloatArray, IntArray, weighted_mean
from histocli.metrics.intervals import UNDEFINED, Interval, percentile_interval
from histocli.metrics.resampling import clustered_weights, stratified_weights

SAMPLES = 1000
EMPTY = "every map is empty"


def clustered_means(
    columns: Sequence[FloatArray],
    groups: Sequence[str | None],
    seed: int,
    nothing: str = EMPTY,
) -> list[dict[str, Any]]:
    """Mean of each column over some tiles; whole groups are resampled where any is known.

    Args:
        columns: Values of the tiles, each of shape ``(N,)``, all of them finite.
        groups: Patient or slide of each tile.
        seed: Of the bootstrap; the columns are resampled together.
        nothing: The reason where there is no tile.

    Returns:
        For each column ``value``, ``ci_low`` and ``ci_high``; a bound that is undefined is NaN, with a
        ``reason``.
    """
    tiles = len(groups)
    clusters = number_groups(groups)
    obstacle = _obstacle(tiles, clusters, nothing)
    means = [float(values.mean()) if tiles else UNDEFINED for values in columns]
    replicates: list[FloatArray] = [np.empty((0, len(columns)))]
    if obstacle is None:
        replicates += [
            np.stack([weighted_mean(values, weights) for values in columns], axis=1)
            for weights in _resampled(tiles, clusters, seed)
        ]
    found = np.concatenate(replicates).T
    return [_estimate(mean, row, obstacle) for mean, row in zip(means, found, strict=True)]


def bootstrap_method(groups: Sequence[str | None]) -> str:
    """What the bootstrap of such tiles is called."""
    return CLUSTERED if any(groups) else STRATIFIED


def number_groups(groups: Sequence[str | None]) -> IntArray | None:
    """Number the groups in order of appearance; a tile without one is a cluster of its own."""
    if not any(groups):
        return None
    keys = [group or (row,) for row, group in enumerate(groups)]
    numbers = {key: number for number, key in enumerate(dict.fromkeys(keys))}
    return np.array([numbers[key] for key in keys], np.int64)


def _estimate(mean: float, replicates: FloatArray, obstacle: str | None) -> dict[str, Any]:
    interval = (
        percentile_interval(replicates)
        if obstacle is None
        else Interval(UNDEFINED, UNDEFINED, obstacle)
    )
    reason = {} if interval.reason is None else {"reason": interval.reason}
    return {"value": mean, "ci_low": interval.low, "ci_high": interval.high, **reason}


def _obstacle(tiles: int, clusters: IntArray | None, nothing: str) -> str | None:
    """Why there is no interval; None where there is one."""
    if tiles == 0:
        return nothing
    if tiles == 1:
        return "there is one tile only, so nothing to resample"
    if clusters is not None and clusters.max() == 0:
        return "there is one group only, so nothing to resample"
    return None


def _resampled(tiles: int, clusters: IntArray | None, seed: int) -> Iterator[FloatArray]:
    if clusters is None:
        return stratified_weights(np.zeros(tiles, np.int64), SAMPLES, seed)
    return clustered_weights(clusters, SAMPLES, seed)
