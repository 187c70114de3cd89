import torch
from torch import nn

from histocli.training.optimization import Optimization, OptimizationPlan, rate_factor


def test_rate_rises_in_a_line_and_falls_in_a_cosine() -> None:
    factors = [rate_factor(step, 100, 0.1) for step in range(101)]
    assert factors[0] == 0.1
    assert factors[9] == factors[10] == 1.0
    assert abs(factors[55] - 0.5) < 1e-12
    assert factors[100] == 0.0


def optimization(network: nn.Module) -> Optimization:
    plan = OptimizationPlan(0.01, 0.1, 0.05, 0.1, 20)
    return Optimization(network, (".head.",), plan, scale=False)


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.ModuleDict({"body": nn.Linear(4, 4), "head": nn.Linear(4, 2)})


def run(net: nn.Module, steps: Optimization, count: int) -> None:
    for number in range(count):
        x = torch.full((2, 4), float(number + 1))
        steps.step(net["head"](net["body"](x)).pow(2).mean())  # type: ignore[index]


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
    rest.load_state(half.state_tensors(), 5, 1.0)
    for number in range(5, 10):
        x = torch.full((2, 4), float(number + 1))
        rest.step(second["head"](second["body"](x)).pow(2).mean())  # type: ignore[index]
    for key, value in straight.state_dict().items():
        assert torch.equal(value, second.state_dict()[key])
