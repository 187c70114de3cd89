"""Read, normalise, write: threads with flat memory, each batch in a journal once it is written."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from histocli.data.journal_entries import Entry, JournalEntries
from histocli.data.loading import BYTES_AT_HAND, SkippedTile, read_batches
from histocli.data.prefetching import ahead_in
from histocli.data.stores import TileStore
from histocli.data.tiles import TileBatch, TileSource, in_chunks
from histocli.data.writing import Journal
from histocli.preparation.references import references_of
from histocli.preparation.setup import chosen_backend
from histocli.preparation.stain_context import StainContext
from histocli.stage_clock import CLOCK
from histocli.stain.arrays import to_numpy
from histocli.stain.batches import NormalizedTiles, StainImage
from histocli.stain.cores import available_cores, hold_this_thread
from histocli.stain.normalizers import Normalizer, Reference

# Of so few tiles that each thread gets less than one batch, it gets several smaller ones.
TASKS_EACH = 4
CHECKED_AT_ONCE = 256
BYTES_ON_A_DEVICE = 2**26
ENTRY_KEYS = ("tile", "sha256", "status", "estimate", "tissue_fraction", "stain_matrix", "maxima")


@dataclass(frozen=True)
class StainWork:
    """What is done to each batch.

    Attributes:
        normalizer: What to do to the tiles.
        context: Stains of groups and data set, where the normaliser's context names them.
        references: What to normalise single tiles to, by tile id; the normaliser's own serves the rest.
        image: What to write.
        place: Puts a NumPy batch where the normaliser is to work, on a GPU for example.
    """

    normalizer: Normalizer
    context: StainContext | None
    references: Mapping[str, Reference]
    image: StainImage
    place: Callable[[Any], Any] = np.asarray

    @property
    def is_compiled(self) -> bool:
        """Whether threads can do it side by side.

        A device, or a library with threads of its own, does one batch at a time, and rather larger ones.
        """
        return self.place is np.asarray and chosen_backend(self.normalizer, "cpu") == "cpu"

    def on(self, source: TileSource) -> Callable[[TileBatch], NormalizedTiles]:
        """The work, on batches of a source, for any number of threads."""
        targets = references_of(self.normalizer, self.references)
        turn = nullcontext() if self.is_compiled else Lock()

        def work(batch: TileBatch) -> NormalizedTiles:
            tiles = [source.tiles[index] for index in batch.indices]
            others = None if self.context is None else self.context.of(tiles)
            with turn:
                return self.normalizer.normalize(
                    self.place(batch.pixels), others, targets(tiles), self.image
                )

        return work


def run_stream(
    source: TileSource,
    indices: Sequence[int],
    work: StainWork,
    journal: Journal,
    store: TileStore,
    *,
    batch_size: int,
    workers: int,
    progress: Callable[[int], None],
) -> None:
    """Normalise some tiles into a store; what cannot be read stands in the journal as skipped.

    Each thread takes some tiles all the way, so that they stay in its cache and no thread waits for
    another's share of the work. The journal is written in the order of ``indices``.
    """
    chunks = list(in_chunks(indices, min(batch_size, 1 + len(indices) // (TASKS_EACH * workers))))
    threads = max(1, min(workers, len(chunks)))
    cores = max(1, available_cores() // threads)
    normalize = work.on(source)
    at_hand = BYTES_AT_HAND if work.is_compiled else BYTES_ON_A_DEVICE

    def finished(chunk: Sequence[int]) -> list[Entry]:
        skipped: list[SkippedTile] = []
        entries: list[Entry] = []
        read = read_batches(source, chunk, skipped, at_hand)
        for batch in CLOCK.between(read, "reading"):
            with CLOCK.spent("stain"):
                normalized = normalize(batch)
            with CLOCK.spent("writing"):
                entries += _written(source, batch, normalized, store)
        return entries + [{"tile": tile.id, "skipped": tile.reason} for tile in skipped]

    with ThreadPoolExecutor(threads, "normalize", hold_this_thread, (cores,)) as pool:
        try:
            for entries in ahead_in(pool, finished, chunks, threads + 1):
                journal.append(entries)
                progress(len(entries))
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def not_yet_done(part: Sequence[int], entries: JournalEntries, store: TileStore) -> list[int]:
    """Tiles that are in no journal, or that are not what the journal says."""

    def left_of(some: Sequence[int]) -> list[int]:
        digests = ((index, entries.digest(index)) for index in some)
        return [
            index for index, digest in digests if digest is None or not store.holds(index, digest)
        ]

    with ThreadPoolExecutor() as pool:
        # A task for each tile would take longer than the tile.
        found = pool.map(left_of, in_chunks(part, CHECKED_AT_ONCE))
        return [index for some in found for index in some]


def channels_last(tiles: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """``(N, 3, H, W)`` as ``(N, H, W, 3)``, contiguous; NumPy's own copy takes four times as long."""
    count, channels, height, width = tiles.shape
    out = np.empty((count, height, width, channels), np.uint8)
    for channel in range(channels):
        out[..., channel] = tiles[:, channel]
    return out


def _written(
    source: TileSource, batch: TileBatch, result: NormalizedTiles, store: TileStore
) -> list[Entry]:
    """Write a batch; what the journal shall say of it."""
    pixels = channels_last(to_numpy(result.tiles))
    indices = batch.indices.tolist()
    columns = zip(
        [source.tiles[index].id for index in indices],
        store.write(indices, pixels),
        result.status.tolist(),
        result.used.tolist(),
        to_numpy(result.tissue_fraction).astype(float).tolist(),
        to_numpy(result.stain_matrices).astype(float).tolist(),
        to_numpy(result.maximum_concentrations).astype(float).tolist(),
        strict=True,
    )
    return [dict(zip(ENTRY_KEYS, values, strict=True)) for values in columns]
