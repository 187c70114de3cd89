"""Could the AUROC be luck? How often shuffled labels do as well."""

from typing import Any

import numpy as np
from scipy.stats import rankdata

from histocli.metrics.definitions.arrays import BoolArray, FloatArray, IntArray
from histocli.metrics.labelled import Labelled
from histocli.metrics.uncertainty import finite

PERMUTATIONS = 999


def permutation_p_value(
    is_positive: BoolArray,
    scores: FloatArray,
    clusters: IntArray | None,
    permutations: int = PERMUTATIONS,
    seed: int = 0,
) -> float:
    """Share of shuffled labels whose AUROC is at least the observed one, the observed counted in.

    ``p = (1 + number at least as high) / (1 + permutations)``. Of groups, the tiles of one
    exchange their scores with each other, and whole groups of one size do: what tiles of a group have in
    common stays together.

    Args:
        is_positive: True for the tiles of the class, shape ``(N,)``.
        scores: Its score, shape ``(N,)``.
        clusters: Group of each tile, numbered from 0; None shuffles tiles.
        permutations: Number of shuffles.
        seed: Of the shuffles.

    Returns:
        NaN without tiles of the class or without others, and where no exchange changes anything.

    Source:
        Phipson and Smyth, Statistical Applications in Genetics and Molecular Biology 9 (2010) 39.
    """
    if is_positive.all() or not is_positive.any():
        return float("nan")
    # With the labels fixed in number, AUROC rises with the sum of the positives' ranks.
    ranks = rankdata(scores)
    observed = float(ranks[is_positive].sum())
    generator = np.random.default_rng(seed)
    blocks = _exchangeable(clusters, len(scores))
    sums = np.empty(permutations)
    for number in range(permutations):
        shuffled = np.empty_like(ranks)
        for rows in blocks:
            exchanged = generator.permuted(generator.permutation(rows, axis=0), axis=1)
            shuffled[rows] = ranks[exchanged]
        sums[number] = shuffled[is_positive].sum()
    if (sums == observed).all() and len(np.unique(ranks)) > 1:
        return float("nan")
    return float((1 + (sums >= observed - 1e-9).sum()) / (1 + permutations))


def permutation_section(tiles: Labelled, seed: int) -> dict[str, Any]:
    """The p-value of each class that is shown, as ``metrics.json`` has it."""
    clusters = tiles.clusters
    return {
        "permutations": PERMUTATIONS,
        "shuffled": "tiles" if clusters is None else "tiles of a group, and groups of one size",
        "p_value": {
            tiles.classes[index]: finite(
                permutation_p_value(
                    tiles.is_class(index), tiles.probabilities[:, index], clusters, seed=seed
                )
            )
            for index in tiles.shown_classes
        },
    }


def _exchangeable(clusters: IntArray | None, tiles: int) -> list[IntArray]:
    """Places of tiles, one array ``(groups, size)`` for each size of group."""
    if clusters is None:
        return [np.arange(tiles, dtype=np.int64)[np.newaxis]]
    order = np.argsort(clusters, kind="stable").astype(np.int64)
    sizes = np.bincount(clusters)
    members = np.split(order, np.cumsum(sizes)[:-1])
    return [
        np.stack([rows for rows in members if len(rows) == size])
        for size in np.unique(sizes).tolist()
    ]
