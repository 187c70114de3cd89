"""Batches on their way to the device while the step before them runs."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from histocli.data.prefetching import ahead
from histocli.data.tiles import TileBatch


@dataclass(frozen=True, slots=True)
class DeviceBatch:
    """Tiles of one size where the model is.

    Attributes:
        pixels: uint8 RGB, shape ``(N, 3, H, W)``.
        indices: Position of each in ``TileSource.tiles``.
    """

    pixels: Tensor
    indices: NDArray[np.int64]


def on_device(batches: Iterable[TileBatch], device: torch.device) -> Iterator[DeviceBatch]:
    """Bring batches to a device, two ahead of their use.

    To CUDA they go from pinned memory on a stream of their own, beside what is being computed.

    Args:
        batches: Drawn in a thread.
        device: Where to.
    """
    if device.type != "cuda":
        for batch in ahead(batches):
            yield DeviceBatch(torch.from_numpy(batch.pixels).to(device), batch.indices)
        return
    stream = torch.cuda.Stream(device)
    for there, copied in ahead(_copying(batches, device, stream)):
        computing = torch.cuda.current_stream(device)
        computing.wait_event(copied)
        # Its memory must not be given to another copy before the last kernel has read it.
        there.pixels.record_stream(computing)
        yield there


def _copying(
    batches: Iterable[TileBatch],
    device: torch.device,
    stream: torch.cuda.Stream,
) -> Iterator[tuple[DeviceBatch, torch.cuda.Event]]:
    for batch in batches:
        with torch.cuda.stream(stream):
            pinned = torch.from_numpy(batch.pixels).pin_memory()
            there = DeviceBatch(pinned.to(device, non_blocking=True), batch.indices)
            copied = torch.cuda.Event()
            copied.record(stream)
        yield there, copied
