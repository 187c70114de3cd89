"""What an optimiser of timm remembers, by names that a file can hold."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

Groups = Sequence[Mapping[str, Any]]


def remembered(optimizer: torch.optim.Optimizer, begun: Groups) -> dict[str, Any]:
    """Tensors and numbers: ``optimizer.3.step`` is of parameter 3, ``optimizer.group3.step`` of group 3.

    Args:
        optimizer: The optimiser.
        begun: Its groups as they were at first: what they have besides, or otherwise, is state.
    """
    found = {
        f"optimizer.{position}.{name}": value
        for position, values in optimizer.state_dict()["state"].items()
        for name, value in values.items()
        if value is not None
    }
    for position, (group, first) in enumerate(zip(optimizer.param_groups, begun, strict=True)):
        for name, value in group.items():
            counts = isinstance(value, int | float | Tensor) and name != "lr"
            if counts and (name not in first or bool(first[name] != value)):
                found[f"optimizer.group{position}.{name}"] = value
    return found


def restore(optimizer: torch.optim.Optimizer, found: Mapping[str, Any]) -> None:
    """Continue from ``remembered``."""
    state: dict[int, dict[str, Any]] = {}
    of_groups: list[tuple[int, str, Any]] = []
    for key, value in found.items():
        _, place, name = key.split(".")
        if place.startswith("group"):
            of_groups.append((int(place.removeprefix("group")), name, value))
        else:
            state.setdefault(int(place), {})[name] = value
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
    groups = optimizer.param_groups
    for position, name, value in of_groups:
        groups[position][name] = value
    parameters = [parameter for group in groups for parameter in group["params"]]
    # torch has turned tensors into the type of their parameter.
    for position, values in state.items():
        parameter = parameters[position]
        own = optimizer.state[parameter]
        for name, value in values.items():
            if isinstance(value, Tensor):
                own[name] = _laid_out_like(parameter, value, own[name].device)


def _laid_out_like(parameter: Tensor, value: Tensor, device: torch.device) -> Tensor:
    """The value in its own type, in memory as the parameter is: in another order, sums round otherwise."""
    if value.shape != parameter.shape:
        return value.to(device)
    return torch.empty_like(parameter, dtype=value.dtype, device=device).copy_(value)
