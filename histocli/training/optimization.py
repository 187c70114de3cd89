"""AdamW with a warm-up and a cosine, two rates, and clipped gradients."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

GRADIENT_LIMIT = 1.0


@dataclass(frozen=True)
class OptimizationPlan:
    """Constants of the optimisation.

    Attributes:
        learning_rate: Peak of the backbone.
        head_learning_rate: Peak of the layers that start from random weights.
        weight_decay: Of AdamW; biases and norms have none.
        warmup_fraction: Share of the steps in which the rate rises.
        steps: In all epochs.
    """

    learning_rate: float
    head_learning_rate: float
    weight_decay: float
    warmup_fraction: float
    steps: int


class Optimization:
    """Optimiser, schedule and gradient scaler behind one ``step``."""

    def __init__(
        self,
        network: nn.Module,
        new_layers: tuple[str, ...],
        plan: OptimizationPlan,
        *,
        scale: bool,
    ) -> None:
        self.parameters = [p for p in network.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(_parameter_groups(network, new_layers, plan))
        self.schedule = torch.optim.lr_scheduler.LambdaLR(
            self.optimizer, lambda step: rate_factor(step, plan.steps, plan.warmup_fraction)
        )
        self.scaler = torch.amp.GradScaler(enabled=scale)

    @property
    def learning_rate(self) -> float:
        """The backbone's rate at this step."""
        return float(self.optimizer.param_groups[0]["lr"])

    @property
    def steps_done(self) -> int:
        """Steps taken so far."""
        return int(self.schedule.last_epoch)

    def step(self, loss: Tensor) -> None:
        """Learn from one loss."""
        self.optimizer.zero_grad()
        self.scaler.scale(loss).backward()
        self.scaler.unscale_(self.optimizer)
        nn.utils.clip_grad_norm_(self.parameters, GRADIENT_LIMIT)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.schedule.step()

    def state_tensors(self) -> dict[str, Tensor]:
        """Moments of the optimiser, by position and name."""
        state = self.optimizer.state_dict()["state"]
        return {
            f"optimizer.{position}.{name}": torch.as_tensor(value)
            for position, values in state.items()
            for name, value in values.items()
        }

    def load_state(self, tensors: dict[str, Tensor], steps_done: int, scale: float) -> None:
        """Continue from ``state_tensors``."""
        state: dict[int, dict[str, Tensor]] = {}
        for key, tensor in tensors.items():
            _, position, name = key.split(".")
            state.setdefault(int(position), {})[name] = tensor
        content = self.optimizer.state_dict()
        self.optimizer.load_state_dict({**content, "state": state})
        schedule = self.schedule.state_dict()
        self.schedule.load_state_dict({**schedule, "last_epoch": steps_done})
        factors = self.schedule.lr_lambdas
        for group, base, factor in zip(
            self.optimizer.param_groups, self.schedule.base_lrs, factors, strict=True
        ):
            group["lr"] = base * factor(steps_done)
        if self.scaler.is_enabled():
            self.scaler.load_state_dict({**self.scaler.state_dict(), "scale": scale})


def rate_factor(step: int, steps: int, warmup_fraction: float) -> float:
    """Share of the peak rate at a step: a line up, half a cosine down."""
    warmup = int(steps * warmup_fraction)
    if step < warmup:
        return (step + 1) / warmup
    remaining = max(1, steps - warmup)
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warmup) / remaining)))


def _parameter_groups(
    network: nn.Module, new_layers: tuple[str, ...], plan: OptimizationPlan
) -> list[dict[str, object]]:
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            new = any(part in f".{name}" for part in new_layers)
            groups.setdefault((new, parameter.ndim > 1), []).append(parameter)
    return [
        {
            "params": parameters,
            "lr": plan.head_learning_rate if new else plan.learning_rate,
            "weight_decay": plan.weight_decay if decays else 0.0,
        }
        for (new, decays), parameters in sorted(groups.items(), key=lambda item: item[0])
    ]
