"""Any of timm's optimisers with a warm-up and a decay, rates by layer, and clipped gradients."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches

import torch
from torch import Tensor, nn

from histocli.errors import SettingsError
from histocli.models.layer_depths import layer_depths
from histocli.training.optimizer_state import Groups, remembered, restore

# One-cycle begins at this share of the peak.
ONE_CYCLE_START = 1 / 25
# First letters of timm's optimisers that cannot serve here, why, and what can.
UNFIT: Mapping[str, tuple[str, str]] = {
    "adahessian": ("it needs second derivatives", "adamw"),
    "bnb": ("it needs bitsandbytes, whose state a run could not continue from", "adamw or lion"),
    "fused": ("it needs NVIDIA's APEX", "the one without fused in its name"),
    "kron": ("a run could not continue from its state", "adan, lamb or adamw"),
}
# Steps since the scale of the gradients last changed, as torch calls them.
GROWTH_TRACKER = "_growth_tracker"


@dataclass(frozen=True)
class OptimizationPlan:
    """Constants of the optimisation.

    Attributes:
        learning_rate: Peak of the backbone.
        head_learning_rate: Peak of the layers that start from random weights.
        weight_decay: Biases, norms, tokens and embeddings of places have none.
        warmup_fraction: Share of the steps in which the rate rises.
        steps: In all epochs.
        optimizer: timm's name of it.
        schedule: ``cosine``, ``one-cycle`` or ``constant``.
        layer_decay: Factor of the rate from one layer of the backbone to the one before it.
        gradient_clip: Largest norm of the gradient; 0 for no limit.
        accumulate: Parts of a batch whose gradients are averaged for one step.
    """

    learning_rate: float
    head_learning_rate: float
    weight_decay: float
    warmup_fraction: float
    steps: int
    optimizer: str = "adamw"
    schedule: str = "cosine"
    layer_decay: float = 1.0
    gradient_clip: float = 1.0
    accumulate: int = 1


class Optimization:
    """Optimiser, schedule and gradient scaler behind one ``learn``."""

    def __init__(
        self,
        network: nn.Module,
        new_layers: tuple[str, ...],
        plan: OptimizationPlan,
        *,
        scale: bool,
    ) -> None:
        self.plan = plan
        self.parameters = [p for p in network.parameters() if p.requires_grad]
        self.optimizer = _make_optimizer(_parameter_groups(network, new_layers, plan), plan)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(
            self.optimizer, lambda step: rate_factor(step, plan)
        )
        self.scaler = torch.amp.GradScaler(enabled=scale)
        # What the groups begin with follows from the plan; what changes later is state.
        self.begun: Groups = [dict(group) for group in self.optimizer.param_groups]
        self.accumulate = plan.accumulate
        # Parts of a batch whose gradients wait for a step.
        self.waiting = 0

    @property
    def learning_rate(self) -> float:
        """The rate of the backbone's last layer at this step."""
        return self.plan.learning_rate * rate_factor(self.steps_done, self.plan)

    @property
    def steps_done(self) -> int:
        """Steps taken so far."""
        return int(self.schedule.last_epoch)

    def learn(self, loss: Tensor) -> bool:
        """Learn from the loss of a batch or a part of it; True if that completed a step."""
        self.scaler.scale(loss / self.accumulate).backward()
        self.waiting += 1
        if self.waiting < self.accumulate:
            return False
        self.scaler.unscale_(self.optimizer)
        if self.plan.gradient_clip:
            nn.utils.clip_grad_norm_(self.parameters, self.plan.gradient_clip)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.schedule.step()
        self.forget()
        return True

    def forget(self) -> None:
        """Drop the gradients of parts that no step will complete."""
        self.optimizer.zero_grad()
        self.waiting = 0

    def state_tensors(self) -> dict[str, Tensor]:
        """The tensors that the optimiser remembers, by parameter or group, and name."""
        return {
            key: value
            for key, value in remembered(self.optimizer, self.begun).items()
            if isinstance(value, Tensor)
        }

    def state_numbers(self) -> dict[str, int | float | bool]:
        """The plain numbers that it remembers, likewise: as tensors they would lose digits."""
        numbers = {
            k: v
            for k, v in remembered(self.optimizer, self.begun).items()
            if not isinstance(v, Tensor)
        }
        if self.scaler.is_enabled():
            numbers[GROWTH_TRACKER] = self.scaler.state_dict()[GROWTH_TRACKER]
        return numbers

    def load_state(
        self,
        tensors: Mapping[str, Tensor],
        numbers: Mapping[str, int | float | bool],
        steps_done: int,
        scale: float,
    ) -> None:
        """Continue from ``state_tensors`` and ``state_numbers``."""
        kept = dict(numbers)
        growth = kept.pop(GROWTH_TRACKER, 0)
        restore(self.optimizer, {**tensors, **kept})
        schedule = self.schedule.state_dict()
        self.schedule.load_state_dict({**schedule, "last_epoch": steps_done})
        factors = self.schedule.lr_lambdas
        for group, base, factor in zip(
            self.optimizer.param_groups, self.schedule.base_lrs, factors, strict=True
        ):
            group["lr"] = base * factor(steps_done)
        if self.scaler.is_enabled():
            self.scaler.load_state_dict(
                {**self.scaler.state_dict(), "scale": scale, GROWTH_TRACKER: growth}
            )


def rate_factor(step: int, plan: OptimizationPlan) -> float:
    """Share of the peak rate at a step.

    ``cosine``: a line up, half a cosine down. ``one-cycle``: half a cosine up, half a cosine down.
    ``constant``: a line up.
    """
    warmup = int(plan.steps * plan.warmup_fraction)
    if step < warmup:
        if plan.schedule == "one-cycle":
            risen = 0.5 * (1 - math.cos(math.pi * (step + 1) / warmup))
            return ONE_CYCLE_START + (1 - ONE_CYCLE_START) * risen
        return (step + 1) / warmup
    if plan.schedule == "constant":
        return 1.0
    remaining = max(1, plan.steps - warmup)
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warmup) / remaining)))


def _check_fit(name: str) -> None:
    """Refuse what could not be trained with, or not continued."""
    for start, (why, instead) in UNFIT.items():
        if name.startswith(start):
            raise SettingsError(f"--optimizer {name}: {why}; choose {instead}")


def _make_optimizer(
    groups: list[dict[str, object]], plan: OptimizationPlan
) -> torch.optim.Optimizer:
    from timm.optim import (
        create_optimizer_v2,
        list_optimizers,
    )  # heavy: only when a model is trained

    known = list_optimizers()
    if plan.optimizer not in known:
        close = get_close_matches(plan.optimizer, known, n=5, cutoff=0.4) or known[:5]
        raise SettingsError(
            f"unknown optimizer {plan.optimizer!r}; {', '.join(close)} are some of timm's {len(known)}"
        )
    _check_fit(plan.optimizer)
    optimizer: torch.optim.Optimizer = create_optimizer_v2(
        groups, plan.optimizer, lr=plan.learning_rate, weight_decay=plan.weight_decay
    )
    return optimizer


def _parameter_groups(
    network: nn.Module, new_layers: tuple[str, ...], plan: OptimizationPlan
) -> list[dict[str, object]]:
    """Parameters with the same rate and decay; new layers have a rate of their own.

    Raises:
        SettingsError: If rates by layer are asked for and the network's layers are not known.
    """
    depths = layer_depths(network, coarse=False) if plan.layer_decay < 1 else {}
    if plan.layer_decay < 1 and not depths:
        raise SettingsError(
            f"--layer-decay {plan.layer_decay:g}: the layers of this architecture are not known; "
            "leave it out"
        )
    new = {
        name
        for name, _ in network.named_parameters()
        if any(part in f".{name}" for part in new_layers)
    }
    # The last layer of the backbone has its whole rate: what classifies is counted apart.
    deepest = max((depth for name, depth in depths.items() if name not in new), default=0)
    fixed = _without_decay(network)
    groups: dict[tuple[float, bool], list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        if not parameter.requires_grad:
            continue
        if name in new:
            rate = plan.head_learning_rate
        else:
            rate = plan.learning_rate * plan.layer_decay ** (deepest - depths.get(name, deepest))
        groups.setdefault((rate, name not in fixed), []).append(parameter)
    return [
        {
            "params": parameters,
            "lr": rate,
            "weight_decay": plan.weight_decay if decays else 0.0,
        }
        for (rate, decays), parameters in sorted(groups.items(), key=lambda item: item[0])
    ]


def _without_decay(network: nn.Module) -> set[str]:
    """Names of parameters that no decay shall pull to zero: vectors, and what timm says of a network."""
    vectors = {name for name, p in network.named_parameters() if p.squeeze().ndim < 2}
    stated = {
        f"{place}.{name}" if place else name
        for place, module in network.named_modules()
        for name in getattr(module, "no_weight_decay", set)()
    }
    return vectors | stated
