"""A loss that is no number stops the training and keeps the batch."""

import os
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from histocli.errors import HistoError
from histocli.plurals import counted


class NotANumberError(HistoError):
    """The loss of a batch is no number.

    Attributes:
        tiles: The batch as the network saw it.
        tile_ids: Its tiles.
    """

    def __init__(self, message: str, tiles: Tensor, tile_ids: Sequence[str]) -> None:
        super().__init__(message)
        self.tiles, self.tile_ids = tiles, tile_ids


def check_finite(loss: Tensor, tiles: Tensor, tile_ids: Sequence[str]) -> None:
    """Raise if a loss is no number.

    Raises:
        NotANumberError: Saying what to do.
    """
    if not torch.isfinite(loss):
        raise NotANumberError(
            f"the loss is not a number in a batch of {counted(len(tile_ids), 'tile')}, kept with "
            "their names beside the run; lower --learning-rate, or choose --precision float32",
            tiles.detach(),
            tile_ids,
        )


def save_batch(error: NotANumberError, run: Path) -> Path:
    """Keep the batch beside the run, for who wants to look: tensor ``tiles``, ids in the metadata."""
    from histocli.models.checkpoint import save_tensors

    path = run.with_name(f"{run.name}-not-a-number.safetensors")
    save_tensors(path, {"tiles": error.tiles}, {"tiles": os.linesep.join(error.tile_ids)})
    return path
