"""A training that continues from its saved state ends with the bytes of one that never stopped."""

from pathlib import Path
from typing import Any, cast

import pytest
import torch
from timm.optim import list_optimizers
from torch import nn

from histocli.training.optimization import UNFIT, Optimization, OptimizationPlan
from histocli.training.state import Learner, Progress, load_state

OPTIMIZERS = [name for name in list_optimizers() if not name.startswith(tuple(UNFIT))]


def learner(name: str) -> Learner:
    torch.manual_seed(0)
    body = nn.Conv2d(3, 4, 3).to(memory_format=torch.channels_last)
    network = nn.ModuleDict({"body": body, "head": nn.Linear(4, 2)})
    plan = OptimizationPlan(0.01, 0.1, 0.05, 0.1, 20, optimizer=name)
    optimization = Optimization(network, (".head.",), plan, scale=False)
    return Learner(cast("Any", network), optimization, None)


def run(learning: Learner, first: int, last: int) -> None:
    network: Any = learning.model
    for number in range(first, last):
        torch.manual_seed(number)
        features = network["body"](torch.randn(2, 3, 4, 4)).mean((2, 3))
        learning.optimization.learn(network["head"](features).pow(2).mean())


def test_most_of_timms_optimizers_are_tried() -> None:
    assert {"adamw", "sgd", "lamb", "adan", "adabelief", "adamp", "laprop", "mars"} < {*OPTIMIZERS}
    assert {"nadamw", "radam", "muon", "adafactorbv", "lion"} < {*OPTIMIZERS}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_five_steps_and_five_more_are_ten(name: str, tmp_path: Path) -> None:
    straight = learner(name)
    run(straight, 0, 10)
    half = learner(name)
    run(half, 0, 5)
    half.save(tmp_path, Progress())
    state = load_state(tmp_path)
    assert state is not None
    rest = learner(name)
    rest.restore(*state)
    run(rest, 5, 10)
    expected = straight.model.state_dict()
    for key, value in rest.model.state_dict().items():
        assert torch.equal(value, expected[key]), key
