"""Read, normalise, write: a stream with flat memory that continues where it was stopped."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from histocli.data.loading import (
    SkippedTile,
    check_skipped,
    default_workers,
    load_batches,
    read_skipped,
    write_skipped,
)
from histocli.data.normalized import normalized_name
from histocli.data.stores import TileStore, open_store
from histocli.data.tiles import TileBatch, TileSource
from histocli.data.writing import Journal
from histocli.errors import SettingsError
from histocli.preparation.references import references_of
from histocli.preparation.stain_context import StainContext
from histocli.preparation.tables import write_label_table, write_manifest
from histocli.run_record import RunRecord
from histocli.stain.arrays import to_numpy
from histocli.stain.batches import NormalizedTiles, StainImage
from histocli.stain.normalizers import Normalizer, Reference

JOURNAL_NAME = ".journal.jsonl"
REFERENCE_NAME = "reference.json"
CONTEXT_NAME = "stain_context.json"


@dataclass(frozen=True)
class NormalizeResult:
    """Counts of a finished normalisation.

    Attributes:
        output: The folder written.
        tiles: Tiles in the source.
        by_status: Tiles by stain status.
        by_estimate: Tiles by whose estimate they were normalised by; ``identity`` is nobody's.
        skipped: Tiles that could not be read.
        already_done: Tiles that an earlier run had finished.
    """

    output: Path
    tiles: int
    by_status: Mapping[str, int]
    by_estimate: Mapping[str, int]
    skipped: Sequence[SkippedTile]
    already_done: int


def normalize_tiles(
    source: TileSource,
    output: Path,
    normalizer: Normalizer,
    record: RunRecord,
    *,
    batch_size: int,
    context: StainContext | None = None,
    references: Mapping[str, Reference] | None = None,
    image: StainImage = "normalized",
    to: str = "folder",
    workers: int | None = None,
    place: Callable[[Any], Any] = np.asarray,
    overwrite: bool = False,
    strict: bool = False,
    progress: Callable[[int], None] | None = None,
) -> NormalizeResult:
    """Normalise every tile of a source into ``output``, in the layout that it has.

    Args:
        source: The tiles.
        output: Folder to write.
        normalizer: What to do to them.
        record: Provenance; decides whether an earlier run is continued.
        batch_size: Tiles per batch.
        context: Stains of groups and data set, where the normaliser's context names them.
        references: What to normalise single tiles to, by tile id; the normaliser's own serves the rest.
        image: What to write.
        to: A key of ``STORES``.
        workers: Decoding threads.
        place: Puts a NumPy batch where the normaliser is to work, on a GPU for example.
        overwrite: Begin anew whatever lies there.
        strict: Raise if a tile had to be skipped.
        progress: Called with the number of tiles done.

    Raises:
        SettingsError: If ``output`` was made otherwise or holds something else.
    """
    earlier = _check_output(output, record, overwrite=overwrite)
    _check_names(source)
    finished = _finished_result(source, output, earlier, to)
    if finished is not None:
        check_skipped(finished.skipped, finished.tiles, strict=strict)
        return finished
    record.write(output)
    normalizer.reference.save(output / REFERENCE_NAME)
    if context is not None:
        context.save(output / CONTEXT_NAME)
    targets = references_of(normalizer, references or {})

    def work(batch: TileBatch) -> NormalizedTiles:
        tiles = [source.tiles[index] for index in batch.indices]
        others = None if context is None else context.of(tiles)
        return normalizer.normalize(place(batch.pixels), others, targets(tiles), image)

    skipped: list[SkippedTile] = []
    threads = workers or default_workers()
    with (
        Journal(output / JOURNAL_NAME) as journal,
        closing(open_store(to, source, output, threads)) as store,
        # One thread writes a batch while the next is read and normalised.
        ThreadPoolExecutor(1, "journal") as pool,
    ):
        todo = _not_yet_done(source, journal, store)
        already_done = len(source.tiles) - len(todo)
        if progress is not None:
            progress(already_done)
        writing: Future[None] | None = None
        for batch in load_batches(source, todo, batch_size, skipped, workers=threads):
            result = work(batch)
            if writing is not None:
                writing.result()
            writing = pool.submit(_write_batch, source, batch, result, journal, store)
            if progress is not None:
                progress(len(batch.indices))
        if writing is not None:
            writing.result()
        done = [i for i, tile in enumerate(source.tiles) if tile.id in journal.entries]
        store.finish(done)
        entries = [journal.entries[source.tiles[index].id] for index in done]
        if to == "folder":
            write_label_table(source, output, {entry["tile"] for entry in entries})
        write_manifest(source, output, entries, store.names(done))
        write_skipped(output, skipped)
        by_status, by_estimate = (
            dict(sorted(Counter(entry[key] for entry in entries).items()))
            for key in ("status", "estimate")
        )
        record.finish(
            output,
            tiles=len(entries),
            by_status=by_status,
            by_estimate=by_estimate,
            skipped=len(skipped),
        )
        journal.remove()
    check_skipped(skipped, len(source.tiles), strict=strict)
    return NormalizeResult(output, len(source.tiles), by_status, by_estimate, skipped, already_done)


def _check_output(output: Path, record: RunRecord, *, overwrite: bool) -> RunRecord | None:
    """The record of an earlier run that this one continues, None where it begins anew."""
    earlier = RunRecord.read_if_present(output)
    if earlier is None and output.exists() and any(output.iterdir()):
        raise SettingsError(
            f"{output} holds files that histo normalize did not write; choose another --output"
        )
    if overwrite or earlier is None:
        (output / JOURNAL_NAME).unlink(missing_ok=True)
        return None
    record.check_continues(earlier, output)
    record.started = earlier.started
    return earlier


def _finished_result(
    source: TileSource, output: Path, earlier: RunRecord | None, to: str
) -> NormalizeResult | None:
    """The result of an earlier run that ended and whose files are all there."""
    if earlier is None or earlier.state != "done":
        return None
    skipped = read_skipped(output)
    unread = {tile.id for tile in skipped}
    wanted = [index for index, tile in enumerate(source.tiles) if tile.id not in unread]
    with closing(open_store(to, source, output, 1)) as store:
        if not store.is_finished(wanted):
            return None
    counts, estimates = earlier.results["by_status"], earlier.results["by_estimate"]
    return NormalizeResult(output, len(source.tiles), counts, estimates, skipped, len(wanted))


def _check_names(source: TileSource) -> None:
    """Two tiles must not end in one file: a.jpg and a.png."""
    seen: dict[str, str] = {}
    for tile in source.tiles:
        other = seen.setdefault(normalized_name(tile.id), tile.id)
        if other != tile.id:
            raise SettingsError(
                f"{source.root}: {other} and {tile.id} would both become {normalized_name(tile.id)}; "
                "rename one"
            )


def _not_yet_done(source: TileSource, journal: Journal, store: TileStore) -> list[int]:
    """Tiles that are not in the journal, or that are not what the journal says."""

    def is_done(index: int) -> bool:
        entry = journal.entries.get(source.tiles[index].id)
        return entry is not None and store.holds(index, entry["sha256"])

    with ThreadPoolExecutor() as pool:
        done = list(pool.map(is_done, range(len(source.tiles)))) if journal.entries else []
    return [index for index in range(len(source.tiles)) if not (done and done[index])]


def _write_batch(
    source: TileSource,
    batch: TileBatch,
    result: NormalizedTiles,
    journal: Journal,
    store: TileStore,
) -> None:
    pixels = to_numpy(result.tiles).transpose(0, 2, 3, 1)
    indices = batch.indices.tolist()
    names = [source.tiles[index].id for index in indices]
    digests = store.write(indices, pixels)
    columns = zip(
        names,
        digests,
        result.status.tolist(),
        result.used.tolist(),
        to_numpy(result.tissue_fraction).astype(float).tolist(),
        to_numpy(result.stain_matrices).astype(float).tolist(),
        to_numpy(result.maximum_concentrations).astype(float).tolist(),
        strict=True,
    )
    keys = (
        "tile",
        "sha256",
        "status",
        "estimate",
        "tissue_fraction",
        "stain_matrix",
        "maxima",
    )
    journal.append([dict(zip(keys, values, strict=True)) for values in columns])
