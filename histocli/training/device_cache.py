"""All tiles of a split decoded once and kept on the device: ``--cache device``."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from histocli.data.loading import SkippedTile
from histocli.data.tile_arrays import Size, TileArrays, place_tiles
from histocli.data.tiles import TileBatch, TileSource
from histocli.errors import SettingsError

# Of the free memory; the rest is for the model and what it computes.
USABLE_SHARE = 0.8


def keep_on_device(
    source: TileSource,
    indices: Sequence[int],
    batches: Iterable[TileBatch],
    skipped: Sequence[SkippedTile],
    device: torch.device,
) -> TileArrays[Tensor]:
    """Decode a split into one uint8 tensor for each size of tile.

    Args:
        source: Where the tiles are.
        indices: The tiles of the split.
        batches: Their pixels, each tile once.
        skipped: What the batches leave out.
        device: Where the tensors go; the CPU's memory is one too.
    """
    kept: dict[Size, Tensor] = {}
    filled: dict[Size, int] = {}

    def write(size: Size, pixels: NDArray[np.uint8]) -> None:
        first = filled.setdefault(size, 0)
        last = first + len(pixels)
        if size not in kept or last > len(kept[size]):
            # Nearly always all tiles are of the first size, whose tensor is then the only one.
            room = len(indices) if not kept else max(2 * last, 64)
            grown = torch.empty((room, 3, *size), dtype=torch.uint8, device=device)
            if size in kept:
                grown[:first] = kept[size][:first]
            kept[size] = grown
        kept[size][first:last] = torch.from_numpy(pixels).to(device)
        filled[size] = last

    places = place_tiles(source, indices, batches, skipped, write)
    return TileArrays(source, indices, places, [kept[size] for size in places.counts], _take)


def check_memory(device: torch.device, needed: int) -> None:
    """Refuse what would not fit.

    Raises:
        SettingsError: Saying what to choose instead.
    """
    free = free_memory(device)
    if free is not None and needed > USABLE_SHARE * free:
        raise SettingsError(
            f"--cache device: the decoded tiles take {needed / 1e9:.1f} GB, and of {free / 1e9:.1f} GB "
            f"free on {device} {USABLE_SHARE:.0%} may be used; choose --cache disk, or none"
        )


def free_memory(device: torch.device) -> int | None:
    """Bytes that are free on a device; None where that cannot be known."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    if device.type == "cpu":
        return _available_memory()
    return None


def _available_memory() -> int | None:
    """Memory of the machine that can be had without swapping; None where the system does not say."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    found = [line.split()[1] for line in lines if line.startswith("MemAvailable:")]
    return int(found[0]) * 1024 if found else None


def _take(tiles: Tensor, rows: NDArray[np.int64]) -> Tensor:
    return tiles[torch.from_numpy(rows).to(tiles.device)]
