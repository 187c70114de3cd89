"""The whole model: uint8 tiles in, logits out, with the stain normaliser inside."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

import torch
from torch import Tensor, nn

from histocli.models.architectures import AS_PUBLISHED, NetworkOptions, adapted, find_architecture
from histocli.models.preprocessing import PreprocessingConstants, Standardization, to_unit_range
from histocli.stain.module import StainNormalization
from histocli.stain.normalizers import find_normalizer
from histocli.stain.reference import PUBLISHED_REFERENCE


@dataclass(frozen=True)
class StainChoice:
    """Stain normalisation of a model: ``none``, or a method with its convention."""

    method: str = "none"
    convention: str = "torchstain"
    reference: str = PUBLISHED_REFERENCE.name

    def module(self) -> nn.Module:
        """The normaliser; an identity for ``none``."""
        if self.method == "none":
            return nn.Identity()
        return StainNormalization(find_normalizer(self.method)(convention=self.convention))


@dataclass(frozen=True)
class ModelCard:
    """Everything but the weights: ``best_model.json``.

    Attributes:
        architecture: Name for ``find_architecture``.
        classes: In the order of the logits.
        positive_class: One of them.
        preprocessing: Constants of ``Standardization``.
        stain: The normaliser.
        operating_point: ``threshold`` on the positive class's probability and ``chosen_by``; empty
            for more than two classes, where the most probable class is predicted.
        calibration: ``method``, its numbers and ``fitted_on``; empty where none was fitted.
        test_time_augmentation: What the two above were fitted with: ``none`` or ``d4``.
        trained_on_normalized: True if the tiles of training had been normalised by other means.
        members: Run folders, in this one, of the models whose mean this is; empty for a single model.
        network: What differs from the architecture as it is published.
        weights: Where training started from.
        parameters: Number of weights.
    """

    architecture: str
    classes: tuple[str, ...]
    positive_class: str
    preprocessing: PreprocessingConstants
    stain: StainChoice = StainChoice()
    operating_point: Mapping[str, Any] = field(default_factory=dict)
    calibration: Mapping[str, Any] = field(default_factory=dict)
    test_time_augmentation: str = "none"
    trained_on_normalized: bool = False
    members: tuple[str, ...] = ()
    network: NetworkOptions = AS_PUBLISHED
    weights: str = "none"
    parameters: int = 0

    def to_json(self) -> dict[str, Any]:
        """As plain JSON types."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Self:
        """Read back what ``to_json`` made."""
        converted = {
            "classes": tuple(content["classes"]),
            "members": tuple(content.get("members", ())),
            "preprocessing": PreprocessingConstants.from_json(content["preprocessing"]),
            "stain": StainChoice(**content["stain"]),
            "network": NetworkOptions(**content.get("network", {})),
        }
        return cls(**{**content, **converted})


class TileClassifier(nn.Module):
    """Preprocessing, stain normaliser and network in one.

    ``prepare`` and ``classify`` are its two halves: augmentation happens between them.
    """

    def __init__(self, card: ModelCard) -> None:
        super().__init__()
        architecture = adapted(find_architecture(card.architecture), card.network)
        self.classes = card.classes
        self.stain = card.stain.module()
        self.standardization = Standardization(card.preprocessing)
        network = architecture.build(len(card.classes))
        # Convolutions of narrow networks run faster on a CPU with the channels last.
        self.network = network.to(memory_format=torch.channels_last)

    def prepare(self, tiles: Tensor, *, already_normalized: bool = False) -> Tensor:
        """uint8 tiles to stain-normalised floats in [0, 1]."""
        unit = to_unit_range(tiles)
        if already_normalized:
            return unit
        normalized: Tensor = self.stain(unit)
        return normalized

    def classify(self, prepared: Tensor) -> Tensor:
        """Logits of tiles in [0, 1]."""
        standardized = self.standardization(prepared)
        logits: Tensor = self.network(standardized.contiguous(memory_format=torch.channels_last))
        return logits

    def forward(self, tiles: Tensor) -> Tensor:
        """Logits of raw uint8 tiles ``(N, 3, H, W)``."""
        return self.classify(self.prepare(tiles))
