"""Everything that learns in a run, put together from its plan."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from histocli.errors import SettingsError
from histocli.models.architectures import Architecture
from histocli.models.classifier import ModelCard, TileClassifier
from histocli.training.augmentation import MOST_OPERATIONS, AugmentationPlan
from histocli.training.averaging import WeightAverage
from histocli.training.dataset import TrainingData
from histocli.training.devices import find_precision
from histocli.training.epoch import LoopSettings
from histocli.training.freezing import keep_first_stages
from histocli.training.learning import LearningPlan
from histocli.training.loss import LossPlan
from histocli.training.optimization import Optimization, OptimizationPlan
from histocli.training.order import equal_shares
from histocli.training.plan import RunOptions, TrainingPlan
from histocli.training.processes import Processes
from histocli.training.recipes import epochs_for, rate_for, sides_of, stages_to_keep
from histocli.training.setup import class_weights, make_model
from histocli.training.sides import check_sides
from histocli.training.state import Learner


@dataclass
class Training:
    """What a run trains, and how.

    Attributes:
        card: Of the model.
        architecture: Of its network.
        learner: Model, optimisation and average.
        classify: From prepared tiles to logits, for training: across the processes where there are several.
        loop: Of validation.
        loss: Of training.
        learning_plan: Of every step.
        epochs: To train.
        chances: Of the training tiles to be drawn; None where each is taken once.
        ema_decay: Of the average; 0 for none.
    """

    card: ModelCard
    architecture: Architecture
    learner: Learner
    classify: Callable[[Tensor], Tensor]
    loop: LoopSettings
    loss: LossPlan
    learning_plan: LearningPlan
    epochs: int
    chances: NDArray[np.float64] | None
    ema_decay: float

    def start_average(self) -> None:
        """Begin to average the weights, from those that the model has now."""
        if self.ema_decay:
            average = WeightAverage(self.learner.model, self.ema_decay)
            self.learner = replace(self.learner, average=average)


def make_training(
    data: TrainingData,
    plan: TrainingPlan,
    options: RunOptions,
    device: torch.device,
    processes: Processes,
) -> Training:
    """Build the model of a plan with random weights, and what trains it.

    Raises:
        SettingsError: If the plan asks for what does not exist.
    """
    processes.check_batch_size(plan.batch_size, plan.accumulate)
    if plan.transfer == "frozen" and processes.count > 1:
        raise SettingsError(
            "--transfer frozen takes minutes in one process; start it without torchrun"
        )
    if plan.rand_augment > MOST_OPERATIONS:
        raise SettingsError(f"--rand-augment {plan.rand_augment}: at most {MOST_OPERATIONS}")
    # One seed for the weights that start at random, before anything else draws.
    torch.manual_seed(options.seed)
    card, model, architecture = make_model(data, plan)
    tiles = len(data.splits["train"].indices)
    epochs = epochs_for(plan, tiles)
    check_sides(model.network, architecture, sides_of(plan, architecture, epochs))
    if processes.count > 1 and device.type == "cuda":
        from timm.layers import convert_sync_batchnorm

        model.network = convert_sync_batchnorm(model.network)
    new_layers = (f".{architecture.head}.", *architecture.added)
    if plan.transfer != "frozen":
        keep_first_stages(model.network, stages_to_keep(plan, architecture), new_layers)
    model.to(device)
    if plan.compile:
        model.network.compile()
    precision = find_precision(plan.precision, device)
    weights = class_weights(data, plan.class_weights, device)
    batches = max(1, tiles // plan.batch_size)
    schedule = OptimizationPlan(
        rate_for(plan, architecture),
        plan.head_learning_rate,
        plan.weight_decay,
        plan.warmup_fraction,
        steps=epochs * batches,
        optimizer=plan.optimizer,
        schedule=plan.schedule,
        layer_decay=plan.layer_decay,
        gradient_clip=plan.gradient_clip,
        accumulate=plan.accumulate,
    )
    optimization = Optimization(
        model.network, new_layers, schedule, scale=precision == torch.float16
    )
    return Training(
        card=card,
        architecture=architecture,
        learner=Learner(model, optimization, None),
        classify=_across(model, processes, device),
        loop=LoopSettings(device, precision, loss=LossPlan(weights)),
        loss=LossPlan(weights, plan.label_smoothing, plan.focal_gamma),
        learning_plan=LearningPlan(
            options.seed,
            AugmentationPlan(plan.color_jitter, plan.stain_augmentation, plan.rand_augment),
            plan.mixup,
            plan.cutmix,
        ),
        epochs=epochs,
        chances=_chances(data, plan.sampling),
        ema_decay=plan.ema_decay,
    )


class _Classify(nn.Module):
    """The half of a model that learns, as the module that torch distributes."""

    def __init__(self, model: TileClassifier) -> None:
        super().__init__()
        self.model = model

    def forward(self, prepared: Tensor) -> Tensor:
        return self.model.classify(prepared)


def _across(
    model: TileClassifier, processes: Processes, device: torch.device
) -> Callable[[Tensor], Tensor]:
    if processes.count == 1:
        return model.classify
    from torch.nn.parallel import DistributedDataParallel

    places = [device] if device.type == "cuda" else None
    return DistributedDataParallel(_Classify(model), device_ids=places)


def _chances(data: TrainingData, sampling: str) -> NDArray[np.float64] | None:
    if sampling == "natural":
        return None
    indices = list(data.splits["train"].indices)
    groups = None
    if sampling == "group-balanced":
        # As folds do: a tile without a group is one of its own.
        groups = [data.tiles[index].group or data.tiles[index].id for index in indices]
        if not any(data.tiles[index].group for index in indices):
            raise SettingsError(
                f"{data.path}: no tile has a group, so --sampling group-balanced means nothing; "
                "choose balanced, or add a group column to the table"
            )
    return equal_shares(data.labels[indices].tolist(), groups)
