"""The sanity checks, on models whose weights and maps are known, and what is said of their outcome."""

from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from histocli.explain.capture import held_still
from histocli.explain.maps import Explainer
from histocli.explain.sanity.equivariance import equivariance
from histocli.explain.sanity.randomization import randomized
from histocli.explain.sanity.similarity import rank_correlations
from histocli.explain.scores.skill import skill_of_decisions, skill_of_ranking
from histocli.explain.verdict import judge
from histocli.models.classifier import ModelCard, TileClassifier
from histocli.models.preprocessing import PreprocessingConstants

CARD = ModelCard(
    "test_resnet", ("a", "b"), "b", PreprocessingConstants(64, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
)


@pytest.fixture(scope="module")
def model() -> TileClassifier:
    torch.manual_seed(0)
    return TileClassifier(CARD).eval()


@pytest.fixture(scope="module")
def tiles() -> torch.Tensor:
    return torch.rand(4, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def test_rank_correlation_is_spearmans_with_ties() -> None:
    generator = np.random.default_rng(0)
    one, other = (generator.normal(size=(5, 6, 6)).clip(0) for _ in range(2))
    expected = [spearmanr(a.ravel(), b.ravel()).statistic for a, b in zip(one, other, strict=True)]
    np.testing.assert_allclose(rank_correlations(one, other), expected, atol=1e-12)
    np.testing.assert_allclose(rank_correlations(one, np.ones((5, 6, 6))), 0)
    finer = one.repeat(8, axis=1).repeat(8, axis=2)
    assert (rank_correlations(one, finer) > 0.7).all()


def test_randomising_goes_from_the_output_to_the_input_and_spares_the_model(
    model: TileClassifier, tiles: torch.Tensor
) -> None:
    before = {name: weights.clone() for name, weights in model.state_dict().items()}
    names = []
    for stage in randomized(model, tiles, seed=0, batch_size=2):
        names.append(stage.first)
        changed = stage.model.network.get_submodule(stage.first).state_dict()
        assert any(
            not torch.equal(values, before[f"network.{stage.first}.{name}"])
            for name, values in changed.items()
        )
        if stage.share < 1:
            assert torch.equal(
                stage.model.state_dict()["network.conv1.0.weight"], before["network.conv1.0.weight"]
            )
        assert stage.model.classify(tiles).isfinite().all()
    assert names[0] == "fc"
    assert names[-1].startswith("conv1")
    assert all(torch.equal(values, before[name]) for name, values in model.state_dict().items())
    last = stage.model.state_dict()["network.fc.weight"]
    torch.testing.assert_close(
        last.flatten().sort()[0], before["network.fc.weight"].flatten().sort()[0]
    )
    assert not any(module.training for module in stage.model.modules())


def test_maps_turn_with_their_own_tile_and_not_with_another(model: TileClassifier) -> None:
    # A spot in another corner of each.
    tiles = torch.zeros(3, 3, 64, 64)
    for number, (top, left) in enumerate(((6, 10), (40, 8), (44, 50))):
        tiles[number, :, top : top + 12, left : left + 8] = 1
    with held_still(model):
        explainer = Explainer.of(model, "eigencam", "layer1")

        def choose(probabilities: np.ndarray) -> np.ndarray:
            return np.ones(len(probabilities), np.int64)

        maps = explainer.explain(tiles, choose).grids
        own = equivariance(explainer, tiles, maps, choose)
        foreign = equivariance(explainer, tiles, np.roll(maps, 1, axis=0), choose)
    assert own.shape == (3,)
    assert own.mean() > foreign.mean() + 0.1


def estimate(value: float, spread: float = 0.05) -> dict[str, float]:
    return {"value": value, "ci_low": value - spread, "ci_high": value + spread}


def an_audit(**changes: Any) -> dict[str, Any]:
    against = {"better": True, "worse": False}
    sanity = {
        "weight_randomization": [{"similarity": estimate(0.9)}, {"similarity": estimate(0.1)}],
        "equivariance": estimate(0.8),
        "other_tiles": estimate(0.3),
        "shuffled_labels": estimate(0.2),
    }
    measures = {
        name: {"against": {"random": against, "sobel": against, "center": against}}
        for name in ("deletion", "insertion", "road", "sensitivity_n")
    }
    return {"faithfulness": {"measures": measures}, "sanity": {**sanity, **changes}}


SKILL: dict[str, Any] = {**estimate(0.95), "metric": "auroc", "chance": 0.5}
LOCATION = ("tumor", "center", estimate(3.0))


def test_the_verdict_passes_when_every_check_does() -> None:
    verdict = judge(an_audit(), SKILL, LOCATION)
    assert verdict["passes"]
    assert verdict["words"] == "The explanation passes all 7 checks."
    assert len(judge(an_audit(), SKILL, None)["checks"]) == 6


@pytest.mark.parametrize(
    ("changes", "failing"),
    [
        ({"weight_randomization": [{"similarity": estimate(0.7)}]}, "weight randomization"),
        ({"shuffled_labels": estimate(0.48, 0.1)}, "shuffled labels"),
        ({"equivariance": estimate(0.4)}, "equivariance"),
        ({"equivariance": estimate(0.54)}, "equivariance"),
    ],
)
def test_the_verdict_names_what_fails(changes: dict[str, Any], failing: str) -> None:
    verdict = judge(an_audit(**changes), SKILL, LOCATION)
    assert not verdict["passes"]
    assert [check["name"] for check in verdict["checks"] if not check["passed"]] == [failing]
    assert verdict["words"].startswith("The explanation fails 1 of 7 checks: ")


def test_maps_may_be_as_alike_as_those_of_different_tiles() -> None:
    changes = {"other_tiles": estimate(0.8), "shuffled_labels": estimate(0.6)}
    assert judge(an_audit(**changes), SKILL, LOCATION)["passes"]
    changes["shuffled_labels"] = estimate(0.78)
    assert not judge(an_audit(**changes), SKILL, LOCATION)["passes"]


def test_no_skill_no_location_and_no_faithfulness_fail() -> None:
    verdict = judge(an_audit(), {**SKILL, **estimate(0.52)}, ("tumor", "center", estimate(1.02)))
    assert [check["passed"] for check in verdict["checks"]][:2] == [False, False]
    audit = an_audit()
    for name in ("deletion", "insertion", "road"):
        audit["faithfulness"]["measures"][name] = {
            "against": {
                "random": {"better": False, "worse": False},
                "sobel": {"better": True, "worse": False},
            }
        }
    verdict = judge(audit, SKILL, None)
    assert "better than random noise by 1 of 4 measures" in verdict["words"]
    unknown = {**estimate(0.9), "ci_low": float("nan"), "ci_high": float("nan")}
    assert not judge(an_audit(equivariance=unknown), SKILL, None)["passes"]


def test_skill_is_an_auroc_of_two_classes_and_an_accuracy_of_more() -> None:
    generator = np.random.default_rng(0)
    positive = np.arange(80) % 2 == 0
    groups = [f"slide {number // 8}" for number in range(80)]
    good = skill_of_ranking(positive, positive + generator.normal(0, 0.4, 80), groups, 0)
    luck = skill_of_ranking(positive, generator.random(80), [None] * 80, 0)
    assert good["ci_low"] > 0.5 > luck["ci_low"]
    labels = ["a", "b", "c", "c"] * 10
    decided = skill_of_decisions(labels, labels, [None] * 40, 0)
    assert decided["value"] == 1
    assert decided["chance"] == 0.5
