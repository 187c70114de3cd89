import numpy as np
import pytest
import torch
from torch.nn import functional

from histocli.explain.scores.center import CenterBox, attention_share, ceiling_share, chance_share
from histocli.explain.scores.enlarging import enlarge
from histocli.explain.scores.summary import summarize_shares
from histocli.explain.selection import select_tiles

BOX = CenterBox.of(96, 96, 32)


def test_the_box_is_patchcamelyons() -> None:
    assert (BOX.top, BOX.bottom, BOX.left, BOX.right) == (32, 64, 32, 64)
    assert CenterBox.of(10, 20, 32).area == 200


@pytest.mark.parametrize(("cells", "published"), [(3, 0.562), (6, 0.766), (7, 1.0)])
def test_ceiling_is_what_measurements_found(cells: int, published: float) -> None:
    assert ceiling_share((cells, cells), 96, 96, BOX) == pytest.approx(published, abs=6e-4)


def test_no_random_map_beats_the_ceiling_and_the_best_cell_reaches_it() -> None:
    generator = np.random.default_rng(0)
    grids = generator.gamma(0.1, size=(200, 5, 5))
    ceiling = ceiling_share((5, 5), 96, 96, BOX)
    assert attention_share(enlarge(grids, 96, 96), BOX).max() <= ceiling
    cells = np.eye(25).reshape(25, 5, 5)
    assert attention_share(enlarge(cells, 96, 96), BOX).max() == pytest.approx(ceiling)


def test_a_map_that_looks_everywhere_alike_has_the_chance_share() -> None:
    share = attention_share(np.ones((1, 96, 96)), BOX)
    assert share[0] == pytest.approx(chance_share(96, 96, BOX)) == pytest.approx(1 / 9)
    assert np.isnan(attention_share(np.zeros((1, 96, 96)), BOX)[0])


@pytest.mark.parametrize("side", [4, 96, 160])
def test_enlarging_is_bilinear(side: int) -> None:
    grids = torch.rand(2, 5, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    expected = functional.interpolate(
        grids[:, None], (side, side), mode="bilinear", antialias=side < 5, align_corners=False
    )
    np.testing.assert_allclose(
        enlarge(grids.numpy(), side, side), expected[:, 0].numpy(), atol=1e-12
    )


def test_mean_and_interval_respect_groups_and_empty_maps() -> None:
    generator = np.random.default_rng(0)
    shares = np.repeat(generator.uniform(0.1, 0.5, 12), 10)
    shares[0] = np.nan
    chances = np.full(120, 1 / 9)
    groups = [f"slide {i // 10}" for i in range(120)]
    clustered = summarize_shares(shares, chances, groups, seed=0)
    plain = summarize_shares(shares, chances, [None] * 120, seed=0)
    assert clustered["empty_maps"] == 1
    assert clustered["center_share"]["value"] == pytest.approx(np.nanmean(shares))
    assert clustered["enrichment"]["value"] == pytest.approx(9 * np.nanmean(shares))

    def width(result: dict[str, dict[str, float]]) -> float:
        return result["center_share"]["ci_high"] - result["center_share"]["ci_low"]

    assert width(clustered) > 2 * width(plain)
    nothing = summarize_shares(np.array([np.nan]), np.array([0.1]), [None], seed=0)
    assert np.isnan(nothing["center_share"]["value"])
    assert nothing["center_share"]["reason"] == "every map is empty"


def test_tiles_are_drawn_evenly_and_the_same_each_time() -> None:
    labels = {index: "a" if index < 90 else "b" for index in range(100)}
    chosen = select_tiles(labels, 30, seed=1)
    assert chosen == select_tiles(labels, 30, seed=1)
    assert sum(labels[index] == "b" for index in chosen) == 10
    assert len(chosen) == 30
    assert select_tiles(labels, 1000, seed=1) == list(range(100))
