from dataclasses import dataclass
from typing import Any

import pytest
import torch

from histocli.models.classifier import ModelCard, TileClassifier
from histocli.models.preprocessing import PreprocessingConstants
from histocli.training.memory_probe import divide_to_fit, parts_that_fit
from histocli.training.optimization import Optimization, OptimizationPlan
from histocli.training.processes import ALONE, Processes
from histocli.training.state import Learner

CONSTANTS = PreprocessingConstants(32, (0.5,) * 3, (0.5,) * 3)


@pytest.fixture
def model() -> TileClassifier:
    torch.manual_seed(0)
    return TileClassifier(ModelCard("test_efficientnet", ("a", "b"), "b", CONSTANTS)).train()


def hold(monkeypatch: pytest.MonkeyPatch, tiles: int) -> list[tuple[int, ...]]:
    """A device with room for so many tiles; the shapes that were tried."""
    tried = []
    classify = TileClassifier.classify

    def small(self: TileClassifier, prepared: torch.Tensor) -> torch.Tensor:
        tried.append(tuple(prepared.shape))
        if len(prepared) > tiles:
            raise torch.OutOfMemoryError("too large")
        return classify(self, prepared)

    monkeypatch.setattr(TileClassifier, "classify", small)
    return tried


@pytest.mark.parametrize(
    ("room", "parts", "expected", "sizes"),
    [
        (64, 1, 1, [48]),
        (20, 1, 4, [48, 24, 12]),
        (20, 2, 4, [24, 12]),
        (1, 1, 16, [48, 24, 12, 6, 3]),  # 48 does not divide further; training says what to do
    ],
)
def test_parts_are_halved_until_one_fits(
    room: int,
    parts: int,
    expected: int,
    sizes: list[int],
    model: TileClassifier,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tried = hold(monkeypatch, room)
    assert parts_that_fit(model, 64, 48, parts, torch.float32) == expected
    assert tried == [(size, 3, 64, 64) for size in sizes]


def test_trying_leaves_no_trace(model: TileClassifier, monkeypatch: pytest.MonkeyPatch) -> None:
    hold(monkeypatch, 20)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    assert parts_that_fit(model, 32, 32, 1, torch.bfloat16) == 2
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert model.training


@dataclass(frozen=True)
class TwoProcesses(Processes):
    """Another process whose device has less room."""

    count: int = 2

    def gather(self, item: Any) -> list[Any]:
        return [item, 8]


@pytest.mark.parametrize(("processes", "expected"), [(ALONE, 2), (TwoProcesses(), 8)])
def test_all_processes_take_the_parts_of_the_smallest_device(
    processes: Processes, expected: int, model: TileClassifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold(monkeypatch, 32)
    plan = OptimizationPlan(1e-3, 1e-3, 0.05, 0.1, steps=4)
    learner = Learner(model, Optimization(model.network, (), plan, scale=False), None)
    said: list[str] = []
    divide_to_fit(learner, 32, 64, torch.float32, processes, said.append)
    assert learner.optimization.accumulate == expected
    own = 64 // processes.count
    assert said == [
        f"batches of {own} tiles are too large for the memory: learned from in {expected} parts"
    ]
