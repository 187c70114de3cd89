from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch

from histocli.data.tiles import Tile
from histocli.training.augmentation import AugmentationPlan
from histocli.training.learning import EpochTotals, Learning, LearningPlan
from histocli.training.network import _chances

IDS = [f"tile-{number}" for number in range(16)]


@pytest.mark.parametrize(
    "plan", [AugmentationPlan(0.2), AugmentationPlan(stain=0.2), AugmentationPlan(operations=2)]
)
def test_augmentation_has_full_precision_under_autocast(plan: AugmentationPlan) -> None:
    def anything(*_: Any) -> Any:
        """Not called here."""

    learning = Learning(
        LearningPlan(0, plan), 1, EpochTotals(), cast("Any", None), anything, anything, 16
    )
    tiles = torch.rand(16, 3, 24, 24, generator=torch.Generator().manual_seed(0))
    targets = torch.zeros(16, dtype=torch.int64)
    learning.seed_step()
    expected, _ = learning.change(tiles, targets, IDS, 2)
    learning.seed_step()
    with torch.autocast("cpu", torch.bfloat16):
        found, _ = learning.change(tiles, targets, IDS, 2)
    assert found.dtype == torch.float32
    assert torch.equal(found, expected)


def test_parts_that_lack_tiles_weigh_together_what_the_batch_does() -> None:
    """Sixteen tiles, one of them unreadable: at once, or in parts of eight and seven."""

    def gradient(sizes: list[int], part_size: int) -> float:
        weight = torch.ones((), requires_grad=True)

        def learn(loss: torch.Tensor) -> bool:
            (loss / len(sizes)).backward()
            return False

        optimization = cast("Any", SimpleNamespace(learn=learn))
        learning = Learning(
            LearningPlan(0), 1, EpochTotals(), optimization, lambda x: x, lambda: None, part_size
        )
        for losses in (torch.arange(15.0) ** 2).split(sizes):
            learning.step((weight * losses).mean(), len(losses))
        assert weight.grad is not None
        return weight.grad.item()

    whole = gradient([15], 16)
    assert whole == pytest.approx(float((torch.arange(15.0) ** 2).sum()) / 16)
    assert gradient([8, 7], 8) == pytest.approx(whole)


def test_a_tile_without_a_group_is_a_group_of_its_own() -> None:
    groups = ["a", "a", "", ""]
    tiles = [
        Tile(id=f"{number}", label="x", group=group or None, split="train")
        for number, group in enumerate(groups)
    ]
    data = SimpleNamespace(
        path="tiles",
        tiles=tiles,
        labels=np.zeros(4, np.int64),
        splits={"train": SimpleNamespace(indices=range(4))},
    )
    chances = _chances(cast("Any", data), "group-balanced")
    assert chances is not None
    assert chances.tolist() == pytest.approx([1 / 6, 1 / 6, 1 / 3, 1 / 3])
