"""A weighted table gives the same as the table with its rows repeated."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from histocli.metrics.definitions import METRICS
from histocli.metrics.definitions.evidence import Evidence
from histocli.metrics.resampling import clustered_draws, clustered_weights, stratified_weights


def with_rows(evidence: Evidence, rows: np.ndarray) -> Evidence:
    return replace(
        evidence,
        label_indices=evidence.label_indices[rows],
        predicted_indices=evidence.predicted_indices[rows],
        probabilities=evidence.probabilities[rows],
        weights=np.ones(len(rows)),
    )


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("clustered", [False, True])
@pytest.mark.parametrize("name", METRICS)
def test_weights_equal_naive_resampling_of_the_rows(
    name: str, clustered: bool, classes: int, make_evidence: Callable[..., Evidence]
) -> None:
    evidence = make_evidence(11, tiles=40, classes=classes)
    blocks = (
        clustered_weights(np.arange(40) // 8, 20, seed=2)
        if clustered
        else stratified_weights(evidence.label_indices, 20, seed=2)
    )
    weights = np.concatenate(list(blocks))
    fast = METRICS[name].measure(replace(evidence, weights=weights))
    for row, counts in enumerate(weights):
        rows = np.repeat(np.arange(40), counts.astype(int))
        naive = METRICS[name].measure(with_rows(evidence, rows))
        np.testing.assert_allclose(fast.overall[row], naive.overall, rtol=0, atol=1e-12)
        if naive.per_class is not None:
            assert fast.per_class is not None
            np.testing.assert_allclose(fast.per_class[row], naive.per_class, rtol=0, atol=1e-12)


@pytest.mark.parametrize("most_clusters", [0, 256])
@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("name", METRICS)
def test_draws_of_clusters_equal_the_weights_of_their_tiles(
    name: str,
    classes: int,
    most_clusters: int,
    make_evidence: Callable[..., Evidence],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("histocli.metrics.definitions.auroc.MOST_CLUSTERS", most_clusters)
    monkeypatch.setattr("histocli.metrics.definitions.cluster_pairs.BLOCK_SCORES", 7)
    monkeypatch.setattr("histocli.metrics.definitions.ranking.BLOCK_CELLS", 130)
    evidence = make_evidence(5, tiles=60, classes=classes, levels=6)
    clusters = np.random.default_rng(0).integers(9, size=60)
    (tiles,), (draws,) = clustered_weights(clusters, 25, 1), clustered_draws(clusters, 25, 1)
    slow = METRICS[name].measure(replace(evidence, weights=tiles))
    fast = METRICS[name].measure(evidence.reweighted(draws))
    np.testing.assert_allclose(fast.overall, slow.overall, rtol=0, atol=1e-12)
    if slow.per_class is not None:
        np.testing.assert_allclose(fast.of(0), slow.of(0), rtol=0, atol=1e-12)
    assert fast.averages.keys() == slow.averages.keys()
    for average, values in slow.averages.items():
        np.testing.assert_allclose(fast.of(average), values, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", METRICS)
def test_the_order_of_the_tiles_does_not_matter(
    name: str, make_evidence: Callable[..., Evidence]
) -> None:
    evidence = make_evidence(4, classes=3)
    shuffled = with_rows(evidence, np.random.default_rng(1).permutation(60))
    np.testing.assert_allclose(
        METRICS[name].measure(evidence).overall,
        METRICS[name].measure(shuffled).overall,
        rtol=1e-12,
    )
