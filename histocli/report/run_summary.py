"""What a report knows of one run: plain facts, already read and checked."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from histocli.metrics.ranking import rank
from histocli.predictions import Predictions
from histocli.run_record import RunRecord

ADVICE = {
    "model": "the run has saved no model yet; continue it with `histo train --resume`",
    "history": "the run has finished no epoch yet; continue it with `histo train --resume`",
    "evaluations": "run `histo evaluate`",
    "explanation": "run `histo explain`",
}


@dataclass(frozen=True)
class ModelCard:
    """``best_model.json``: what was saved beside the weights; unknown parts are empty or None."""

    architecture: str
    classes: tuple[str, ...]
    positive_class: str | None
    preprocessing: Mapping[str, Any]
    stain: Mapping[str, Any]
    operating_point: Mapping[str, Any]
    temperature: float | None
    parameters: int | None
    weights: str | None
    calibration_method: str | None = None
    members: int = 0


@dataclass(frozen=True)
class Epoch:
    """One row of ``history.csv``; what could not be measured is NaN."""

    epoch: int
    learning_rate: float
    train_loss: float
    valid_loss: float
    valid_auroc: float
    images_per_second: float
    seconds: float


@dataclass(frozen=True)
class Evaluation:
    """One folder ``evaluation/SPLIT``."""

    split: str
    metrics: Mapping[str, Any]
    predictions: Predictions | None
    figures: tuple[Path, ...]


@dataclass(frozen=True)
class Explanation:
    """The folder ``explanation``."""

    attention: Mapping[str, Any] | None
    figure: Path | None
    audit_figures: tuple[Path, ...] = ()


@dataclass(frozen=True)
class RunSummary:
    """Everything a report says of one run; only the record is always there."""

    path: Path
    name: str
    record: RunRecord
    model: ModelCard | None
    history: tuple[Epoch, ...]
    evaluations: tuple[Evaluation, ...]
    explanation: Explanation | None
    quality: Mapping[str, Any] | None = None

    @property
    def missing(self) -> dict[str, str]:
        """What this run lacks, each with the command that provides it."""
        return {part: advice for part, advice in ADVICE.items() if not getattr(self, part)}

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names, from the model or, before one is saved, from the record."""
        if self.model and self.model.classes:
            return self.model.classes
        return tuple(str(name) for name in self.record.results.get("classes") or ())

    @property
    def architecture(self) -> str:
        """Name of the network, or "unknown"."""
        settings = self.record.settings
        saved = self.model.architecture if self.model else ""
        return saved or str(settings.get("arch") or settings.get("architecture") or "unknown")

    @property
    def best_epoch(self) -> Epoch | None:
        """The epoch whose weights were kept."""
        recorded = self.record.results.get("best_epoch")
        for epoch in self.history:
            if epoch.epoch == recorded:
                return epoch
        return best_epoch(self.history)

    def evaluation(self, split: str) -> Evaluation | None:
        """The evaluation of ``split``, or None."""
        return next((each for each in self.evaluations if each.split == split), None)

    @property
    def headline(self) -> Evaluation | None:
        """The evaluation to judge by: the test split, else the last one there is."""
        return self.evaluation("test") or (self.evaluations[-1] if self.evaluations else None)


def best_epoch(history: tuple[Epoch, ...]) -> Epoch | None:
    """The epoch that training kept; None where none could be judged."""
    judged = [
        epoch
        for epoch in history
        if not (math.isnan(epoch.valid_auroc) and math.isnan(epoch.valid_loss))
    ]
    return max(judged, key=lambda epoch: rank(epoch.valid_auroc, epoch.valid_loss), default=None)
