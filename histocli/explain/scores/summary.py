"""The mean share of a class of tiles, with a bootstrap interval that respects patients and slides."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from histocli.metrics.bootstrap import CLUSTERED, STRATIFIED
from histocli.metrics.definitions.arrays import FloatArray, IntArray, weighted_mean
from histocli.metrics.intervals import UNDEFINED, Interval, percentile_interval
from histocli.metrics.resampling import clustered_weights, stratified_weights

SAMPLES = 1000


def summarize_shares(
    shares: FloatArray, chances: FloatArray, groups: Sequence[str | None], seed: int
) -> dict[str, Any]:
    """Mean center share and enrichment over the tiles of one class.

    Args:
        shares: Center share of each tile; NaN where its map is empty, which leaves it out.
        chances: Chance level of each tile.
        groups: Patient or slide; whole groups are resampled where any is known.
        seed: Of the bootstrap.

    Returns:
        ``n``, ``empty_maps``, ``center_share``, ``outside_share`` and ``enrichment`` as
        ``attention.json`` has them; a bound that is undefined is NaN, with a ``reason``.
    """
    kept = np.flatnonzero(np.isfinite(shares))
    clusters = _clusters([groups[row] for row in kept.tolist()])
    share, ratio = shares[kept], shares[kept] / chances[kept]
    obstacle = _obstacle(len(kept), clusters)
    replicates: list[FloatArray] = [np.empty((0, 2))]
    if obstacle is None:
        both = np.stack([share, ratio])
        replicates += [
            np.stack([weighted_mean(row, weights) for row in both], axis=1)
            for weights in _resampled(len(kept), clusters, seed)
        ]
    columns = np.concatenate(replicates).T
    means = [float(values.mean()) if len(kept) else UNDEFINED for values in (share, ratio)]
    center, enrichment = (
        _estimate(mean, column, obstacle) for mean, column in zip(means, columns, strict=True)
    )
    return {
        "n": len(shares),
        "empty_maps": len(shares) - len(kept),
        "center_share": {**center, "method": STRATIFIED if clusters is None else CLUSTERED},
        "outside_share": 1 - means[0],
        "enrichment": enrichment,
    }


def _estimate(mean: float, replicates: FloatArray, obstacle: str | None) -> dict[str, Any]:
    interval = (
        percentile_interval(replicates)
        if obstacle is None
        else Interval(UNDEFINED, UNDEFINED, obstacle)
    )
    reason = {} if interval.reason is None else {"reason": interval.reason}
    return {"value": mean, "ci_low": interval.low, "ci_high": interval.high, **reason}


def _obstacle(tiles: int, clusters: IntArray | None) -> str | None:
    """Why there is no interval; None where there is one."""
    if tiles == 0:
        return "every map is empty"
    if tiles == 1:
        return "there is one tile only, so nothing to resample"
    if clusters is not None and clusters.max() == 0:
        return "there is one group only, so nothing to resample"
    return None


def _resampled(tiles: int, clusters: IntArray | None, seed: int) -> Iterator[FloatArray]:
    if clusters is None:
        return stratified_weights(np.zeros(tiles, np.int64), SAMPLES, seed)
    return clustered_weights(clusters, SAMPLES, seed)


def _clusters(groups: Sequence[str | None]) -> IntArray | None:
    """Number the groups in order of appearance; a tile without one is a cluster of its own."""
    if not any(groups):
        return None
    keys = [group or (row,) for row, group in enumerate(groups)]
    numbers = {key: number for number, key in enumerate(dict.fromkeys(keys))}
    return np.array([numbers[key] for key in keys], np.int64)
