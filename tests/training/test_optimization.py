from typing import Any

import pytest
import timm
import torch
from torch import nn

from histocli.errors import SettingsError
from histocli.models.architectures import find_architecture
from histocli.training.optimization import Optimization, OptimizationPlan, rate_factor


def test_rate_rises_in_a_line_and_falls_in_a_cosine() -> None:
    plan = OptimizationPlan(1.0, 1.0, 0.0, 0.1, 100)
    factors = [rate_factor(step, plan) for step in range(101)]
    assert factors[0] == 0.1
    assert factors[9] == factors[10] == 1.0
    assert abs(factors[55] - 0.5) < 1e-12
    assert factors[100] == 0.0


@pytest.mark.parametrize(
    ("schedule", "first", "last"), [("one-cycle", 0.04, 0.0), ("constant", 0.1, 1.0)]
)
def test_other_schedules(schedule: str, first: float, last: float) -> None:
    plan = OptimizationPlan(1.0, 1.0, 0.0, 0.1, 100, schedule=schedule)
    factors = [rate_factor(step, plan) for step in range(101)]
    assert first <= factors[0] <= first + 0.03
    assert factors[9] == pytest.approx(1.0)
    assert factors[100] == last


def optimization(network: nn.Module, **changes: Any) -> Optimization:
    plan = OptimizationPlan(0.01, 0.1, 0.05, 0.1, 20, **changes)
    return Optimization(network, (".head.",), plan, scale=False)


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.ModuleDict({"body": nn.Linear(4, 4), "head": nn.Linear(4, 2)})


def run(net: nn.Module, steps: Optimization, count: int) -> None:
    for number in range(count):
        x = torch.full((2, 4), float(number + 1))
        steps.learn(net["head"](net["body"](x)).pow(2).mean())  # type: ignore[index]


def test_new_layers_learn_faster_and_biases_do_not_decay() -> None:
    groups = optimization(network()).optimizer.param_groups
    found = {(group["initial_lr"], group["weight_decay"]) for group in groups}
    assert found == {(0.01, 0.0), (0.01, 0.05), (0.1, 0.0), (0.1, 0.05)}


def test_restored_state_continues_to_the_same_weights() -> None:
    straight = network()
    run(straight, optimization(straight), 10)
    first = network()
    half = optimization(first)
    run(first, half, 5)
    second = network()
    second.load_state_dict(first.state_dict())
    rest = optimization(second)
    rest.load_state(half.state_tensors(), half.state_numbers(), 5, 1.0)
    for number in range(5, 10):
        x = torch.full((2, 4), float(number + 1))
        rest.learn(second["head"](second["body"](x)).pow(2).mean())  # type: ignore[index]
    for key, value in straight.state_dict().items():
        assert torch.equal(value, second.state_dict()[key])


def test_two_half_batches_make_the_step_of_a_whole_one() -> None:
    torch.manual_seed(1)
    batch = torch.randn(8, 4)
    whole, halves = network(), network()
    one, two = optimization(whole), optimization(halves, accumulate=2)
    assert one.learn(whole["head"](whole["body"](batch)).pow(2).mean())  # type: ignore[index]
    for half in batch.chunk(2):
        completed = two.learn(halves["head"](halves["body"](half)).pow(2).mean())  # type: ignore[index]
    assert completed
    assert one.steps_done == two.steps_done == 1
    for key, value in whole.state_dict().items():
        torch.testing.assert_close(value, halves.state_dict()[key])


@pytest.mark.parametrize("name", ["sgd", "lion", "adamw", "nadamw"])
def test_any_optimizer_of_timm_learns_and_its_state_is_tensors(name: str) -> None:
    net = network()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    steps = optimization(net, optimizer=name)
    run(net, steps, 3)
    assert any(not torch.equal(v, before[k]) for k, v in net.state_dict().items())
    assert all(isinstance(value, torch.Tensor) for value in steps.state_tensors().values())


def test_an_unknown_optimizer_names_those_there_are() -> None:
    with pytest.raises(SettingsError, match=r"'adamz'.*adamw"):
        optimization(network(), optimizer="adamz")


def test_layers_near_the_pixels_learn_more_slowly() -> None:
    net = timm.create_model("test_resnet", num_classes=2)
    plan = OptimizationPlan(1.0, 10.0, 0.0, 0.1, 20, layer_decay=0.5)
    groups = Optimization(net, (".fc.",), plan, scale=False).optimizer.param_groups
    rates = {id(p): group["initial_lr"] for group in groups for p in group["params"]}
    named = {name: rates[id(p)] for name, p in net.named_parameters()}
    assert named["fc.weight"] == 10.0
    assert named["conv1.0.weight"] < named["layer1.0.conv1.weight"] < named["layer4.0.conv1.weight"]
    assert (
        named["layer4.0.conv1.weight"] == max(v for k, v in named.items() if k[:2] != "fc") == 1.0
    )


@pytest.mark.parametrize("name", ["test_vit", "vit", "resnet50"])
def test_what_does_not_decay_is_what_timm_says(name: str) -> None:
    """Its own parameter groups, and the strength of attention, which is a vector in all but shape."""
    network = find_architecture(name).build(2)
    groups = Optimization(
        network, (".head.",), OptimizationPlan(1.0, 1.0, 0.05, 0.1, 20), scale=False
    ).optimizer.param_groups
    names = {id(parameter): key for key, parameter in network.named_parameters()}
    found = {
        names[id(p)] for group in groups if group["weight_decay"] == 0 for p in group["params"]
    }
    backbone = getattr(network, "backbone", network)
    peers = timm.optim.param_groups_weight_decay(
        network,
        no_weight_decay_list=[f"backbone.{key}" for key in stated(backbone)] + stated(backbone),
    )
    expected = {
        names[id(p)] for group in peers if group["weight_decay"] == 0 for p in group["params"]
    }
    strengths = {key for key in names.values() if key.endswith("attention.strength")}
    assert found == expected | strengths
    assert bool(strengths) == (name == "resnet50")


def stated(network: nn.Module) -> list[str]:
    asked = getattr(network, "no_weight_decay", None)
    return [] if asked is None else sorted(asked())


@pytest.mark.parametrize("name", ["adahessian", "kron", "kronw"])
def test_what_could_not_be_trained_or_resumed_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match=f"--optimizer {name}: .*; choose .*adamw"):
        optimization(network(), optimizer=name)


def test_layer_decay_needs_known_layers() -> None:
    with pytest.raises(SettingsError, match=r"--layer-decay 0\.5: the layers"):
        optimization(network(), layer_decay=0.5)
