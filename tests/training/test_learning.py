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
        LearningPlan(0, plan), 1, EpochTotals(), cast("Any", None), anything, anything
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
