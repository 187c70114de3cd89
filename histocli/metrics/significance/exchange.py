"""Permutation test of two runs: had they been the same, who said what could be exchanged.

For each tile, or each group, the predictions of the two runs change places or stay; the differences
that arise are what chance alone makes. Both runs stand in one table, and an exchange is a weight of
zero or one: every metric is computed by the same lines as everywhere else.
"""

from collections.abc import Sequence

import numpy as np
from scipy.stats import rankdata

from histocli.metrics.definitions import METRICS
from histocli.metrics.definitions.arrays import BoolArray, FloatArray, IntArray
from histocli.metrics.definitions.evidence import Evidence
from histocli.metrics.definitions.families import PairsMetric, RankingMetric
from histocli.metrics.definitions.weights import ClusterWeights
from histocli.metrics.intervals import UNDEFINED
from histocli.metrics.resampling import BLOCK_CELLS

# Differences that are equal but for rounding count as reached.
ROUNDING = 1e-12


def exchange_p_values(
    first: Evidence,
    second: Evidence,
    units: IntArray,
    names: Sequence[str],
    permutations: int,
    seed: int,
) -> dict[str, float]:
    """Two-sided p-values of the differences of headline metrics.

    ``p = (1 + exchanges with a difference at least as large) / (1 + permutations)``. For metrics of
    the order of scores, ranks within each run are exchanged, as two runs need not share a scale.

    Args:
        first: The tiles as the first run sees them, each counted once.
        second: The same tiles as the second does.
        units: What is exchanged as a whole: group or own number of each tile, from 0, shape ``(N,)``.
        names: Keys of ``METRICS``.
        permutations: Number of random exchanges.
        seed: Of the exchanges.

    Returns:
        NaN where the difference is undefined, or there is one unit only.

    Source:
        Bandos, Rockette and Gur, Statistics in Medicine 24 (2005) 2873-2893, for ranks; counting
        the observed difference: Phipson and Smyth, SAGMB 9 (2010) 39.
    """
    count = int(units.max()) + 1
    by_value = _stacked(first, second, first.probabilities, second.probabilities)
    by_rank = _stacked(first, second, _ranks(first.probabilities), _ranks(second.probabilities))
    ordered = [isinstance(METRICS[name], RankingMetric | PairsMetric) for name in names]
    tables = [by_rank if of_order else by_value for of_order in ordered]
    observed = _differences(tables, names, units, np.zeros((1, count), np.bool_))[0]
    reached = np.zeros(len(names))
    generator = np.random.default_rng(seed)
    rows = max(1, BLOCK_CELLS // (2 * count))
    for start in range(0, permutations, rows):
        swaps = generator.random((min(rows, permutations - start), count)) < 0.5
        found = np.abs(_differences(tables, names, units, swaps))
        # What is undefined after an exchange speaks for neither run.
        reached += (~(found < np.abs(observed) - ROUNDING)).sum(axis=0)
    p_values = (1 + reached) / (1 + permutations)
    p_values[~np.isfinite(observed) | (count < 2)] = UNDEFINED
    return dict(zip(names, p_values.tolist(), strict=True))


def _differences(
    tables: Sequence[Evidence], names: Sequence[str], units: IntArray, swaps: BoolArray
) -> FloatArray:
    """First minus second after each exchange, shape ``(R, metrics)``."""
    count = swaps.shape[1]
    clusters = np.concatenate([units, count + units])
    kept, taken = (~swaps).astype(np.float64), swaps.astype(np.float64)
    sides = [
        ClusterWeights(np.concatenate(halves, axis=1), clusters)
        for halves in ((kept, taken), (taken, kept))
    ]
    columns = []
    for table, name in zip(tables, names, strict=True):
        one, other = (METRICS[name].measure(table.reweighted(side)).overall for side in sides)
        columns.append(one - other)
    return np.stack(columns, axis=1)


def _stacked(
    first: Evidence, second: Evidence, of_first: FloatArray, of_second: FloatArray
) -> Evidence:
    return Evidence(
        label_indices=np.concatenate([first.label_indices, second.label_indices]),
        predicted_indices=np.concatenate([first.predicted_indices, second.predicted_indices]),
        probabilities=np.concatenate([of_first, of_second]),
        positive_index=first.positive_index,
        weights=np.ones(2 * len(first.label_indices)),
    )


def _ranks(probabilities: FloatArray) -> FloatArray:
    return np.asarray(rankdata(probabilities, axis=0) / len(probabilities), np.float64)
