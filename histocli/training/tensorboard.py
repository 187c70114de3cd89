"""Events of a run for TensorBoard: ``--tensorboard``, with ``histocli[tensorboard]``."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from histocli.errors import SettingsError

FOLDER = "tensorboard"


def check_tensorboard() -> None:
    """Say what to install where it is missing, before anything is trained.

    Raises:
        SettingsError: If TensorBoard cannot be imported.
    """
    try:
        import torch.utils.tensorboard  # noqa: F401 - only whether it is there
    except ImportError as error:
        raise SettingsError(
            f"--tensorboard needs TensorBoard ({error}); pip install 'histocli[tensorboard]'"
        ) from error


def log_epoch(run: Path, row: Mapping[str, Any]) -> None:
    """Add what an epoch ended with; a run that continues adds to what it has."""
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(run / FOLDER)) as writer:
        for name, value in row.items():
            if name != "epoch" and math.isfinite(value):
                writer.add_scalar(name, value, int(row["epoch"]))
