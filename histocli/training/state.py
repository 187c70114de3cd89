"""What a training run needs to continue as if it had never stopped: ``last.safetensors``, ``last.json``."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from safetensors import safe_open
from torch import Tensor

from histocli.atomic_files import parse_json, write_csv, write_json
from histocli.data.loading import SkippedTile
from histocli.errors import InputError
from histocli.models.checkpoint import load_tensors, save_tensors
from histocli.models.classifier import TileClassifier
from histocli.training.averaging import WeightAverage
from histocli.training.learning import EpochTotals
from histocli.training.optimization import Optimization

LAST = "last"
HISTORY_COLUMNS = (
    "epoch",
    "input_size_px",
    "learning_rate",
    "train_loss",
    "valid_loss",
    "valid_auroc",
    "images_per_second",
    "seconds",
)


@dataclass
class Progress:
    """Where a run is.

    Attributes:
        epochs_done: Whole epochs.
        steps_done: Optimiser steps, of the epoch under way too.
        best_epoch: Counted from 1; 0 before the first.
        history: One row of ``history.csv`` per epoch.
        loss_scale: Of the gradient scaler.
        weights: Where training started from.
        epoch: How far the epoch under way has come.
        skipped: Tiles that could not be read: what remains to be done may not read them again.
        optimizer: Plain numbers that the optimiser remembers; its tensors lie beside them.
    """

    epochs_done: int = 0
    steps_done: int = 0
    best_epoch: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)
    loss_scale: float = 65536.0
    weights: str = ""
    epoch: EpochTotals = field(default_factory=EpochTotals)
    skipped: list[SkippedTile] = field(default_factory=list)
    optimizer: dict[str, int | float | bool] = field(default_factory=dict)


@dataclass(frozen=True)
class Learner:
    """What changes while a network learns: the parts of a checkpoint.

    Attributes:
        model: Takes the steps.
        optimization: Of its weights.
        average: Of its weights over the steps; None without.
    """

    model: TileClassifier
    optimization: Optimization
    average: WeightAverage | None

    @property
    def best(self) -> TileClassifier:
        """What is validated and kept: the average where there is one."""
        return self.model if self.average is None else self.average.model

    def took_a_step(self) -> None:
        """Average the weights that a step has left."""
        if self.average is not None:
            self.average.update(self.model, self.optimization.steps_done)

    def save(self, run: Path, progress: Progress) -> None:
        """Write the state: one file, so it is whole or the one before; JSON is its copy."""
        progress.steps_done = self.optimization.steps_done
        progress.loss_scale = self.optimization.scaler.get_scale()
        progress.optimizer = self.optimization.state_numbers()
        tensors: dict[str, Tensor] = {f"model.{k}": v for k, v in self.model.state_dict().items()}
        tensors |= self.optimization.state_tensors()
        if self.average is not None:
            tensors |= self.average.state_tensors()
        content = asdict(progress)
        save_tensors(run / f"{LAST}.safetensors", tensors, {"progress": json.dumps(content)})
        write_json(run / f"{LAST}.json", content)

    def restore(self, progress: Progress, tensors: dict[str, Tensor]) -> None:
        """Continue from a loaded state."""
        own = {k.removeprefix("model."): v for k, v in tensors.items() if k.startswith("model.")}
        self.model.load_state_dict(own)
        moments = {k: v for k, v in tensors.items() if k.startswith("optimizer.")}
        self.optimization.load_state(
            moments, progress.optimizer, progress.steps_done, progress.loss_scale
        )
        if self.average is not None:
            self.average.load_state(tensors)


def load_state(run: Path) -> tuple[Progress, dict[str, Tensor]] | None:
    """Read the state, None before there is any.

    Raises:
        InputError: If it is damaged.
    """
    path = run / f"{LAST}.safetensors"
    if not path.is_file():
        return None
    tensors = load_tensors(path)
    with safe_open(path, "pt") as file:
        metadata = file.metadata() or {}
    try:
        content = parse_json(metadata["progress"])
        epoch = EpochTotals(**content.pop("epoch"))
        skipped = [SkippedTile(**tile) for tile in content.pop("skipped", [])]
        return Progress(**content, epoch=epoch, skipped=skipped), tensors
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{path}: damaged ({error!r}); train again with --overwrite") from error


def write_history(run: Path, progress: Progress) -> Path:
    """Write ``history.csv``."""
    path = run / "history.csv"
    write_csv(
        path, HISTORY_COLUMNS, [[row[c] for c in HISTORY_COLUMNS] for row in progress.history]
    )
    return path
