"""Where the batches of a training run come from: the source, a cache on disk, or the device itself."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from histocli.data.disk_cache import (
    cache_key,
    check_space,
    default_cache_folder,
    open_cached,
    write_cached,
)
from histocli.data.isolation import ISOLATION
from histocli.data.loading import SkippedTile, load_batches
from histocli.data.tile_arrays import TileArrays
from histocli.data.tiles import Split, TileBatch
from histocli.errors import HistoError, UnreadableTileError
from histocli.plurals import counted
from histocli.training.dataset import SplitData, TrainingData
from histocli.training.device_batches import DeviceBatch, on_device
from histocli.training.device_cache import check_memory, keep_on_device
from histocli.training.monitor import Monitor
from histocli.training.plan import RunOptions

# Called with the tiles in their order, the size of a batch, and what receives unreadable tiles.
Feed = Callable[[Sequence[int], int, list[SkippedTile]], Iterator[DeviceBatch]]
Watch = Callable[[Iterable[TileBatch]], Iterator[TileBatch]]
FED: tuple[Split, ...] = ("train", "valid")
DECODED_AT_ONCE = 256


def open_feeds(
    data: TrainingData,
    options: RunOptions,
    device: torch.device,
    monitor: Monitor,
    watch: Watch = iter,
) -> Mapping[Split, Feed]:
    """One feed for each split that training reads; whichever the cache, the batches are the same.

    Args:
        data: The data set.
        options: ``cache`` chooses.
        device: Where batches go.
        monitor: Told what is decoded, and where to.
        watch: Passes batches on while a cache is filled, and may stop that.

    Raises:
        SettingsError: If the tiles do not fit where they are to be kept.
    """
    splits = {name: _Split(name, data.splits[name], options, monitor, watch) for name in FED}
    if options.cache == "device":
        check_memory(device, sum(split.decoded_bytes() for split in splits.values()))
        return {name: _from_device(split.kept_on(device)) for name, split in splits.items()}
    if options.cache == "disk":
        return {name: _from_disk(split.on_disk(), device) for name, split in splits.items()}
    return {name: _from_source(split, device) for name, split in splits.items()}


@dataclass(frozen=True)
class _Split:
    """One split, and how it is decoded."""

    name: str
    data: SplitData
    options: RunOptions
    monitor: Monitor
    watch: Watch

    def decoded_bytes(self) -> int:
        """What its tiles take: as many as the first that can be read."""
        for index in self.data.indices:
            try:
                return ISOLATION.read(self.data.source, index).nbytes * len(self.data.indices)
            except UnreadableTileError:
                continue
        return 0

    def kept_on(self, device: torch.device) -> TileArrays[Tensor]:
        source, indices = self.data.source, self.data.indices
        self.monitor.say(
            f"cache: keeping {counted(len(indices), f'{self.name} tile')} on {device} "
            f"({self.decoded_bytes() / 1e6:,.0f} MB)"
        )
        skipped: list[SkippedTile] = []
        return keep_on_device(source, indices, self._decode(skipped), skipped, device)

    def on_disk(self) -> TileArrays[NDArray[np.uint8]]:
        source, indices = self.data.source, self.data.indices
        parent = self.options.cache_folder or default_cache_folder()
        folder = parent / cache_key(source, indices)
        if (cached := open_cached(folder, source, indices)) is not None:
            self.monitor.say(
                f"cache: reading {counted(len(indices), f'{self.name} tile')} from {folder}"
            )
            return cached
        needed = self.decoded_bytes()
        check_space(parent, needed)
        self.monitor.say(
            f"cache: decoding {counted(len(indices), f'{self.name} tile')} to {folder} "
            f"({needed / 1e6:,.0f} MB)"
        )
        skipped: list[SkippedTile] = []
        write_cached(folder, source, indices, self._decode(skipped), skipped)
        if (cached := open_cached(folder, source, indices)) is None:
            raise HistoError(f"{folder}: it was deleted while it was written; run again")
        return cached

    def _decode(self, skipped: list[SkippedTile]) -> Iterator[TileBatch]:
        source, indices = self.data.source, self.data.indices
        advance = self.monitor.begin(f"decoding {self.name}", len(indices))
        workers = self.options.workers
        batches = load_batches(source, indices, DECODED_AT_ONCE, skipped, workers=workers)
        for batch in self.watch(batches):
            yield batch
            advance(len(batch.indices))


def _from_source(split: _Split, device: torch.device) -> Feed:
    source, workers = split.data.source, split.options.workers

    def feed(
        indices: Sequence[int], batch_size: int, skipped: list[SkippedTile]
    ) -> Iterator[DeviceBatch]:
        batches = load_batches(source, indices, batch_size, skipped, workers=workers)
        return on_device(batches, device)

    return feed


def _from_disk(tiles: TileArrays[NDArray[np.uint8]], device: torch.device) -> Feed:
    def feed(
        indices: Sequence[int], batch_size: int, skipped: list[SkippedTile]
    ) -> Iterator[DeviceBatch]:
        drawn = tiles.batches(indices, batch_size, skipped)
        return on_device((TileBatch(pixels, order) for pixels, order in drawn), device)

    return feed


def _from_device(tiles: TileArrays[Tensor]) -> Feed:
    def feed(
        indices: Sequence[int], batch_size: int, skipped: list[SkippedTile]
    ) -> Iterator[DeviceBatch]:
        drawn = tiles.batches(indices, batch_size, skipped)
        return (DeviceBatch(pixels, order) for pixels, order in drawn)

    return feed
