from collections.abc import Callable, Iterator

import numpy as np
import pytest

from histocli.metrics.resampling import clustered_weights, stratified_weights

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
