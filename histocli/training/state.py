"""What a training run needs to continue as if it had never stopped: ``last.safetensors``, ``last.json``."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from safetensors import safe_open
from torch import Tensor

from histocli.atomic_files import write_csv, write_json
from histocli.errors import InputError
from histocli.models.checkpoint import load_tensors, save_tensors
from histocli.models.classifier import TileClassifier
from histocli.training.optimization import Optimization

LAST = "last"
HISTORY_COLUMNS = (
    "epoch",
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
        steps_done: Optimiser steps.
        best_epoch: Counted from 1; 0 before the first.
        best_score: Validation AUROC of that epoch, or minus the loss where AUROC is undefined.
        history: One row of ``history.csv`` per epoch.
        loss_scale: Of the gradient scaler.
    """

    epochs_done: int = 0
    steps_done: int = 0
    best_epoch: int = 0
    best_score: float | None = None
    history: list[dict[str, Any]] = field(default_factory=list)
    loss_scale: float = 65536.0


def save_state(
    run: Path, model: TileClassifier, optimization: Optimization, progress: Progress
) -> None:
    """Write the state after an epoch: one file, so it is whole or the one before; JSON is its copy."""
    tensors: dict[str, Tensor] = {f"model.{k}": v for k, v in model.state_dict().items()}
    tensors |= optimization.state_tensors()
    content = asdict(progress)
    save_tensors(run / f"{LAST}.safetensors", tensors, {"progress": json.dumps(content)})
    write_json(run / f"{LAST}.json", content)


def load_state(run: Path) -> tuple[Progress, dict[str, Tensor]] | None:
    """Read the state, None before the first epoch has ended.

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
        return Progress(**json.loads(metadata["progress"])), tensors
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: damaged ({error!r}); train again with --overwrite") from error


def restore(
    model: TileClassifier,
    optimization: Optimization,
    progress: Progress,
    tensors: dict[str, Tensor],
) -> None:
    """Put a loaded state into model and optimiser."""
    model.load_state_dict(
        {k.removeprefix("model."): v for k, v in tensors.items() if k.startswith("model.")}
    )
    moments = {k: v for k, v in tensors.items() if k.startswith("optimizer.")}
    optimization.load_state(moments, progress.steps_done, progress.loss_scale)


def write_history(run: Path, progress: Progress) -> Path:
    """Write ``history.csv``."""
    path = run / "history.csv"
    write_csv(
        path, HISTORY_COLUMNS, [[row[c] for c in HISTORY_COLUMNS] for row in progress.history]
    )
    return path
