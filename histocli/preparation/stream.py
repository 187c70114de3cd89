"""Read, normalise, write: a stream with flat memory, each batch in a journal once it is written."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from histocli.data.journal_entries import JournalEntries
from histocli.data.loading import SkippedTile, load_batches
from histocli.data.stores import TileStore
from histocli.data.tiles import TileBatch, TileSource
from histocli.data.writing import Journal
from histocli.preparation.references import references_of
from histocli.preparation.stain_context import StainContext
from histocli.stain.arrays import to_numpy
from histocli.stain.batches import NormalizedTiles, StainImage
from histocli.stain.normalizers import Normalizer, Reference

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

    def on(self, source: TileSource) -> Callable[[TileBatch], NormalizedTiles]:
        """The work, on batches of a source."""
        targets = references_of(self.normalizer, self.references)

        def work(batch: TileBatch) -> NormalizedTiles:
            tiles = [source.tiles[index] for index in batch.indices]
            others = None if self.context is None else self.context.of(tiles)
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
    """Normalise some tiles into a store; what cannot be read stands in the journal as skipped."""
    normalize = work.on(source)
    skipped: list[SkippedTile] = []
    # One thread writes a batch while the next is read and normalised.
    with ThreadPoolExecutor(1, "journal") as pool:
        writing: Future[None] | None = None
        for batch in load_batches(source, indices, batch_size, skipped, workers=workers):
            result = normalize(batch)
            if writing is not None:
                writing.result()
            writing = pool.submit(_write_batch, source, batch, result, journal, store)
            progress(len(batch.indices))
        if writing is not None:
            writing.result()
    journal.append([{"tile": tile.id, "skipped": tile.reason} for tile in skipped])


def not_yet_done(part: Sequence[int], entries: JournalEntries, store: TileStore) -> list[int]:
    """Tiles that are in no journal, or that are not what the journal says."""

    def is_done(index: int) -> bool:
        digest = entries.digest(index)
        return digest is not None and store.holds(index, digest)

    known = [index for index in part if entries.digest(index) is not None]
    with ThreadPoolExecutor() as pool:
        done = {
            index for index, holds in zip(known, pool.map(is_done, known), strict=True) if holds
        }
    return [index for index in part if index not in done]


def channels_last(tiles: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """``(N, 3, H, W)`` as ``(N, H, W, 3)``, contiguous; NumPy's own copy takes four times as long."""
    count, channels, height, width = tiles.shape
    out = np.empty((count, height, width, channels), np.uint8)
    for channel in range(channels):
        out[..., channel] = tiles[:, channel]
    return out


def _write_batch(
    source: TileSource,
    batch: TileBatch,
    result: NormalizedTiles,
    journal: Journal,
    store: TileStore,
) -> None:
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
    journal.append([dict(zip(ENTRY_KEYS, values, strict=True)) for values in columns])
