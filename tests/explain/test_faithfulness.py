"""Measures of faithfulness on a model whose evidence is known: it reads one square of the tile."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from pytorch_grad_cam.metrics.road import NoisyLinearImputer
from torch import Tensor, nn

from histocli.explain.faithfulness.comparison import compare
from histocli.explain.faithfulness.curves import area, deletion_curves, end_points, insertion_curves
from histocli.explain.faithfulness.measure import measure_faithfulness
from histocli.explain.faithfulness.ordering import ranks, strongest, without_detail
from histocli.explain.faithfulness.probe import Probe
from histocli.explain.faithfulness.road import fill_in, road_scores
from histocli.explain.faithfulness.sensitivity import sensitivity_scores

COUNT = 12
SQUARE = (slice(None), 0, slice(12, 24), slice(4, 16))


class SquareReader(nn.Module):
    """The logit of class 1 is how much one square of the tile varies."""

    def classify(self, prepared: Tensor) -> Tensor:
        score = 40 * prepared[SQUARE].std(dim=(1, 2)) - 6
        return torch.stack([torch.zeros_like(score), score], dim=1)


@pytest.fixture
def probe() -> Probe:
    tiles = torch.rand(COUNT, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    groups = [f"slide {number // 2}" for number in range(COUNT)]
    model: nn.Module = SquareReader()
    return Probe(model, tiles, torch.ones(COUNT, dtype=torch.int64), groups, batch_size=5)  # type: ignore[arg-type] # answers as one


def true_maps(count: int = COUNT) -> NDArray[np.float64]:
    maps = np.zeros((count, 32, 32))
    maps[:, 12:24, 4:16] = 1
    return maps


def test_the_strongest_pixels_come_first_and_equals_in_random_order() -> None:
    maps = true_maps(1)
    places = ranks(maps, np.random.default_rng(0))
    assert sorted(places.ravel().tolist()) == list(range(1024))
    assert places[maps > 0].max() == 143
    assert (np.diff(places[maps > 0]) < 0).any()
    chosen = strongest(places, 144 / 1024, torch.device("cpu"))[0, 0].numpy()
    np.testing.assert_array_equal(chosen, maps[0] > 0)


def test_the_truth_deletes_fast_inserts_fast_and_is_foretold(probe: Probe) -> None:
    generator = np.random.default_rng(0)
    blurred = without_detail(probe.tiles)
    true, opposite = (ranks(maps, generator) for maps in (true_maps(), 1 - true_maps()))
    deleted = [
        area(deletion_curves(probe, places, blurred, end_points(probe, blurred)))
        for places in (true, opposite)
    ]
    inserted = [
        area(insertion_curves(probe, places, blurred, end_points(probe, blurred)))
        for places in (true, opposite)
    ]
    assert (deleted[0] < deleted[1] - 0.2).all()
    assert (inserted[0] > inserted[1] + 0.2).all()
    maps = {"true": true_maps(), "opposite": 1 - true_maps(), "flat": np.ones((COUNT, 32, 32))}
    found = sensitivity_scores(probe, maps, blurred, np.random.default_rng(0))
    assert (found["true"] > 0.8).all()
    np.testing.assert_allclose(found["true"], -found["opposite"], atol=1e-9)
    assert not found["flat"].any()
    scores = [
        road_scores(probe, places, torch.Generator().manual_seed(0)) for places in (true, opposite)
    ]
    assert scores[0].mean() > 0.1 > -0.1 > scores[1].mean()


def test_curves_begin_and_end_at_the_tile_and_the_blurred_tile(probe: Probe) -> None:
    blurred = without_detail(probe.tiles)
    places = ranks(true_maps(), np.random.default_rng(0))
    deleted = deletion_curves(probe, places, blurred, end_points(probe, blurred))
    inserted = insertion_curves(probe, places, blurred, end_points(probe, blurred))
    whole = probe.log_probabilities(probe.tiles).exp().numpy()
    np.testing.assert_allclose(deleted[:, 0], whole)
    np.testing.assert_allclose(inserted[:, -1], whole)
    np.testing.assert_allclose(deleted[:, -1], inserted[:, 0])
    assert area(np.ones((1, 9)))[0] == pytest.approx(1)
    assert area(np.linspace(1, 0, 9)[np.newaxis])[0] == pytest.approx(0.5)


# Of pytorch-grad-cam's own use of NumPy.
@pytest.mark.filterwarnings("ignore:__array_wrap__:DeprecationWarning")
def test_filled_in_pixels_are_those_of_pytorch_grad_cam() -> None:
    generator = torch.Generator().manual_seed(0)
    tiles = torch.rand(2, 3, 24, 24, generator=generator)
    removed = torch.rand(2, 1, 24, 24, generator=generator) < 0.6
    removed[1, 0, 6:20, :12] = True
    ours = fill_in(tiles, removed, tolerance=1e-6)
    torch.testing.assert_close(fill_in(tiles, removed), ours, atol=5e-3, rtol=0)
    for tile, mask, filled in zip(tiles, removed, ours, strict=True):
        theirs = NoisyLinearImputer(noise=0.0)(tile.clone(), (~mask[0]).float())
        torch.testing.assert_close(filled, theirs.float(), atol=1e-4, rtol=0)


def test_log_odds_of_many_classes_set_one_against_all_others() -> None:
    class Fixed(nn.Module):
        def classify(self, prepared: Tensor) -> Tensor:
            return torch.log(torch.tensor([[0.2, 0.5, 0.3]])).expand(len(prepared), 3)

    model: nn.Module = Fixed()
    given = Probe(model, torch.zeros(2, 3, 4, 4), torch.tensor([1, 2]), [None] * 2, 1)  # type: ignore[arg-type] # answers as one
    expected = torch.log(torch.tensor([0.5 / 0.5, 0.3 / 0.7], dtype=torch.float64))
    torch.testing.assert_close(given.log_odds(given.tiles), expected, atol=1e-6, rtol=0)


def test_the_known_evidence_beats_every_map_that_knows_nothing(probe: Probe) -> None:
    found = measure_faithfulness(probe, true_maps(), "gradcam", seed=0)
    for measure in found["measures"].values():
        assert measure["against"]["random"]["better"]
        assert not measure["against"]["random"]["worse"]
    wrong = measure_faithfulness(probe, 1 - true_maps(), "gradcam", seed=0)
    assert not any(each["against"]["random"]["better"] for each in wrong["measures"].values())
    assert any(each["against"]["random"]["worse"] for each in wrong["measures"].values())


def test_a_difference_within_one_slide_alone_is_not_significant() -> None:
    generator = np.random.default_rng(0)
    map_scores = np.concatenate([np.full(90, 1.0), generator.normal(0, 1, 10)])
    scores = {"road": {"gradcam": map_scores, "random": np.zeros(100)}}
    groups = ["one"] * 90 + [f"slide {number}" for number in range(10)]
    assert compare(scores, "gradcam", [None] * 100, 0)["road"]["against"]["random"]["better"]
    clustered = compare(scores, "gradcam", groups, 0)["road"]["against"]["random"]
    assert not clustered["better"]
    nothing = compare(
        {"road": {"gradcam": np.zeros(5), "random": np.zeros(5)}}, "gradcam", [None] * 5, 0
    )
    assert nothing["road"]["against"]["random"]["p_value"] == 1
