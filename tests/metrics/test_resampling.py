from collections.abc import Callable, Iterator

import numpy as np
import pytest

from histocli.metrics.resampling import (
    clustered_draws,
    clustered_weights,
    leaving_out,
    stratified_weights,
)

STRATA = np.array([0, 1, 1, 0, 1, 2, 1, 1])
CLUSTERS = np.array([0, 0, 1, 2, 2, 2, 3, 1])


def test_each_stratum_keeps_its_size() -> None:
    (weights,) = stratified_weights(STRATA, 50, seed=0)
    for stratum in range(3):
        members = np.equal(STRATA, stratum)
        assert (weights[:, members].sum(axis=1) == members.sum()).all()


def test_tiles_of_one_cluster_are_drawn_together() -> None:
    (weights,) = clustered_weights(CLUSTERS, 50, seed=0)
    firsts = np.array([0, 2, 3, 6])
    assert (weights == weights[:, firsts[CLUSTERS]]).all()
    assert (weights[:, firsts].sum(axis=1) == 4).all()


@pytest.mark.parametrize("resample", [stratified_weights, clustered_weights])
def test_samples_do_not_depend_on_the_size_of_the_blocks(
    resample: Callable[..., Iterator[np.ndarray]],
) -> None:
    whole = np.concatenate(list(resample(STRATA, 23, 7)))
    pieces = list(resample(STRATA, 23, 7, block_cells=40))
    assert [len(piece) for piece in pieces] == [5, 5, 5, 5, 3]
    np.testing.assert_array_equal(np.concatenate(pieces), whole)


def test_a_table_larger_than_a_block_comes_one_sample_at_a_time() -> None:
    pieces = list(stratified_weights(STRATA, 3, 0, block_cells=2))
    assert [piece.shape for piece in pieces] == [(1, 8)] * 3


def test_another_seed_gives_other_samples() -> None:
    (first,) = stratified_weights(STRATA, 20, 0)
    (second,) = stratified_weights(STRATA, 20, 1)
    assert (first != second).any()


def test_weights_equal_naive_draws_from_the_same_generator() -> None:
    (weights,) = clustered_weights(np.arange(6), 4, seed=3)
    (child,) = np.random.SeedSequence(3).spawn(1)
    for row, drawn in enumerate(np.random.default_rng(child).integers(6, size=(4, 6))):
        assert weights[row].tolist() == [list(drawn).count(unit) for unit in range(6)]


def test_no_samples_give_no_blocks() -> None:
    assert list(stratified_weights(STRATA, 0, 0)) == []


def test_draws_of_clusters_are_the_weights_of_their_tiles() -> None:
    (weights,) = clustered_weights(CLUSTERS, 23, seed=4)
    blocks = list(clustered_draws(CLUSTERS, 23, seed=4, block_cells=20))
    assert [len(block.multiplicities) for block in blocks] == [5, 5, 5, 5, 3]
    drawn = np.concatenate([block.multiplicities for block in blocks])
    np.testing.assert_array_equal(drawn[:, CLUSTERS], weights)


def test_few_units_are_left_out_one_by_one() -> None:
    weights = leaving_out(CLUSTERS, np.array([0, 1, 0, 1]), seed=0)
    left_out = np.argmin(weights.multiplicities, axis=1)
    assert sorted(left_out.tolist()) == [0, 1, 2, 3]
    assert (weights.multiplicities.sum(axis=1) == 3).all()


def test_many_units_are_left_out_in_blocks_alike_in_their_strata() -> None:
    strata = np.arange(4000) % 2
    weights = leaving_out(np.arange(4000), strata, seed=0)
    assert weights.multiplicities.shape == (200, 200)
    sizes = [np.bincount(weights.clusters[strata == stratum]) for stratum in range(2)]
    assert all((size == 10).all() for size in sizes)
