"""From a plan to a model and the weights of its loss."""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from histocli.data.normalized import is_normalized
from histocli.errors import SettingsError
from histocli.models.architectures import (
    Architecture,
    NetworkOptions,
    adapted,
    find_architecture,
)
from histocli.models.classifier import ModelCard, StainChoice, TileClassifier
from histocli.models.preprocessing import PreprocessingConstants
from histocli.training.dataset import TrainingData
from histocli.training.plan import TrainingPlan
from histocli.training.recipes import final_size, views_for


def positive_class(classes: tuple[str, ...], wanted: str | None) -> str:
    """The class called positive: the wanted one, or the last by name.

    Raises:
        SettingsError: If the wanted one is no class.
    """
    if wanted is None:
        return classes[-1]
    if wanted not in classes:
        raise SettingsError(f"--positive-class {wanted!r} is no class of {', '.join(classes)}")
    return wanted


def architecture_of(plan: TrainingPlan) -> Architecture:
    """The architecture of a plan, with what the plan changes of it.

    Raises:
        SettingsError: If it is unknown.
    """
    return adapted(find_architecture(plan.arch), _changes(plan))


def _changes(plan: TrainingPlan) -> NetworkOptions:
    return NetworkOptions(plan.pooling, plan.stem_stride)


def make_model(
    data: TrainingData, plan: TrainingPlan
) -> tuple[ModelCard, TileClassifier, Architecture]:
    """The model of a plan with random weights, its card, and the recipe of its network.

    Raises:
        SettingsError: If the architecture or the positive class is unknown, or tiles would be normalised
            twice.
    """
    architecture = architecture_of(plan)
    normalized = is_normalized(data.path)
    if normalized and plan.stain != "none":
        raise SettingsError(
            f"{data.path} is normalized already: train on it with --stain none, or name the raw tiles"
        )
    card = ModelCard(
        architecture=plan.arch,
        classes=data.classes,
        positive_class=positive_class(data.classes, plan.positive_class),
        preprocessing=PreprocessingConstants.of(architecture, final_size(plan, architecture)),
        stain=StainChoice(plan.stain, plan.stain_convention),
        network=_changes(plan),
        test_time_augmentation=views_for(plan),
        trained_on_normalized=normalized,
    )
    model = TileClassifier(card)
    parameters = sum(parameter.numel() for parameter in model.network.parameters())
    return replace(card, parameters=parameters), model, architecture


def class_weights(data: TrainingData, kind: str, device: torch.device) -> Tensor | None:
    """Weights of the loss, mean 1 over the training tiles."""
    if kind == "none":
        return None
    labels = data.labels[list(data.splits["train"].indices)]
    counts = np.bincount(labels, minlength=len(data.classes))
    weights = len(labels) / (len(data.classes) * counts)
    return torch.tensor(weights, dtype=torch.float32, device=device)
