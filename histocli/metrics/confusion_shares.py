"""The confusion matrix as shares of each true class, with intervals."""

from typing import Any

import numpy as np

from histocli.metrics.bootstrap import CLUSTERED
from histocli.metrics.definitions.arrays import FloatArray, IntArray, ratio
from histocli.metrics.definitions.evidence import Evidence
from histocli.metrics.intervals import tail_of, wilson
from histocli.metrics.resampling import clustered_draws


def confusion_shares(
    evidence: Evidence,
    clusters: IntArray | None,
    confidence: float,
    bootstrap_samples: int,
    seed: int,
) -> dict[str, Any]:
    """Of the tiles of each true class, the share predicted as each class.

    Args:
        evidence: The labelled tiles, each counted once.
        clusters: Patient or slide of each tile, numbered from 0; None when tiles stand alone.
        confidence: Of the intervals.
        bootstrap_samples: Number of resampled tables of groups.
        seed: Of the resampling.

    Returns:
        ``value``, ``ci_low`` and ``ci_high``, each a matrix of rows, None where undefined;
        ``method``; with groups also ``ci_unclustered_low`` and ``ci_unclustered_high``.
    """
    counts = evidence.confusion
    trials = np.broadcast_to(counts.sum(axis=1, keepdims=True), counts.shape)
    low, high = wilson(counts, trials, confidence)
    found = {"method": "wilson", "value": _rows(ratio(counts, trials))}
    if clusters is None or clusters.max() == 0 or not bootstrap_samples:
        return {**found, "ci_low": _rows(low), "ci_high": _rows(high)}
    grouped = _clustered(evidence, clusters, confidence, bootstrap_samples, seed)
    return {
        **found,
        "method": CLUSTERED,
        "ci_low": _rows(grouped[0]),
        "ci_high": _rows(grouped[1]),
        "ci_unclustered_low": _rows(low),
        "ci_unclustered_high": _rows(high),
    }


def _clustered(
    evidence: Evidence, clusters: IntArray, confidence: float, samples: int, seed: int
) -> tuple[FloatArray, FloatArray]:
    draws = [
        evidence.reweighted(weights).confusion
        for weights in clustered_draws(clusters, samples, seed)
    ]
    counts = np.concatenate(draws)
    shares = ratio(counts, counts.sum(axis=2, keepdims=True))
    # A sample without a tile of a class has no shares of it.
    present = np.isfinite(shares[:, :, 0])
    low, high = np.full((2, *shares.shape[1:]), np.nan)
    tail = tail_of(confidence, int(clusters.max()) + 1)
    for index in range(evidence.classes):
        inside = shares[present[:, index], index]
        if 2 * len(inside) < len(shares):
            continue
        bounds = np.quantile(inside, [tail, 1 - tail], axis=0)
        # Where every sample gives the same share, a group counts as one tile.
        groups = len(np.unique(clusters[evidence.label_indices == index]))
        widest = wilson(inside[0] * groups, np.full(evidence.classes, groups), confidence)
        alike = np.ptp(inside, axis=0) == 0
        low[index], high[index] = np.where(alike, widest, bounds)
    return low, high


def _rows(matrix: FloatArray) -> list[list[float | None]]:
    return [[float(cell) if np.isfinite(cell) else None for cell in row] for row in matrix]
