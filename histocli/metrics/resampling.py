"""Bootstrap samples as integer weights: how often each tile was drawn, some samples at a time.

A metric of a weighted table equals the metric of the table with its rows repeated, so the rows are
sorted once and never copied. Each stratum has its own generator: the samples do not depend on how
many of them are made at a time.
"""

from collections.abc import Iterator

import numpy as np

from histocli.metrics.definitions.arrays import FloatArray, IntArray
from histocli.metrics.definitions.weights import ClusterWeights

# Samples times tiles held at once: 8 MiB for each array of float64, whatever the number of tiles.
BLOCK_CELLS = 2**20
# Blocks that are left out in turn; with more the skewness is hardly known better.
MOST_BLOCKS = 200


def stratified_weights(
    strata: IntArray, samples: int, seed: int, block_cells: int = BLOCK_CELLS
) -> Iterator[FloatArray]:
    """Resample the tiles of each stratum with replacement, keeping the size of the stratum.

    Args:
        strata: Stratum of each tile (its true class), shape ``(N,)``.
        samples: Number of bootstrap samples R.
        seed: Same seed, same samples.
        block_cells: Upper bound of the cells of one block.

    Yields:
        Weights, shape ``(r, N)``, until R rows were given; each row sums to N.
    """
    members = [np.flatnonzero(strata == stratum) for stratum in np.unique(strata)]
    generators = _generators(seed, len(members))
    for rows in _block_sizes(samples, len(strata), block_cells):
        weights = np.empty((rows, len(strata)))
        for generator, chosen in zip(generators, members, strict=True):
            weights[:, chosen] = _multiplicities(generator, rows, len(chosen))
        yield weights


def clustered_weights(
    clusters: IntArray, samples: int, seed: int, block_cells: int = BLOCK_CELLS
) -> Iterator[FloatArray]:
    """Resample whole clusters with replacement: all tiles of a patient or slide, or none.

    Args:
        clusters: Cluster of each tile, numbered from 0 without gaps, shape ``(N,)``.
        samples: Number of bootstrap samples R.
        seed: Same seed, same samples.
        block_cells: Upper bound of the cells of one block.

    Yields:
        Weights, shape ``(r, N)``, until R rows were given; tiles of one cluster weigh the same.

    Source:
        Field and Welsh, Journal of the Royal Statistical Society B 69 (2007) 369-390.
    """
    (generator,) = _generators(seed, 1)
    count = int(clusters.max()) + 1
    for rows in _block_sizes(samples, len(clusters), block_cells):
        yield _multiplicities(generator, rows, count)[:, clusters]


def clustered_draws(
    clusters: IntArray, samples: int, seed: int, block_cells: int = BLOCK_CELLS
) -> Iterator[ClusterWeights]:
    """The samples of ``clustered_weights``, as draws of the clusters: thousands in one block."""
    (generator,) = _generators(seed, 1)
    count = int(clusters.max()) + 1
    for rows in _block_sizes(samples, count, block_cells):
        yield ClusterWeights(_multiplicities(generator, rows, count), clusters)


def leaving_out(units: IntArray, strata: IntArray, seed: int) -> ClusterWeights:
    """Leave out one unit after the other, or one block of units where there are many.

    Args:
        units: Cluster of each tile, numbered from 0, or the tiles' own numbers, shape ``(N,)``.
        strata: Stratum of each unit: blocks are alike in them, shape ``(U,)``.
        seed: Of the division into blocks.

    Returns:
        One row for each unit or block: zero for it, one for the others.
    """
    shuffled = np.random.default_rng(seed).permutation(len(strata))
    dealt = shuffled[np.argsort(strata[shuffled], kind="stable")]
    blocks = min(MOST_BLOCKS, len(strata))
    block_of = np.empty(len(strata), np.int64)
    block_of[dealt] = np.arange(len(strata)) % blocks
    return ClusterWeights(1 - np.eye(blocks), block_of[units])


def _generators(seed: int, count: int) -> list[np.random.Generator]:
    return [np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(count)]


def _block_sizes(samples: int, tiles: int, block_cells: int) -> Iterator[int]:
    rows = max(1, block_cells // max(1, tiles))
    for start in range(0, samples, rows):
        yield min(rows, samples - start)


def _multiplicities(generator: np.random.Generator, rows: int, units: int) -> FloatArray:
    drawn = generator.integers(units, size=(rows, units))
    drawn += np.arange(rows)[:, np.newaxis] * units
    counts = np.bincount(drawn.ravel(), minlength=rows * units)
    return counts.reshape(rows, units).astype(np.float64)
