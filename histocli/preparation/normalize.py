"""Normalise a source, or a part of it, into a folder; whoever finds all parts finished completes it."""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from histocli.atomic_files import remove_temporary_files
from histocli.data.journal_entries import Entry, JournalEntries
from histocli.data.loading import SkippedTile, check_skipped, default_workers, write_skipped
from histocli.data.shards import Shard
from histocli.data.shared_output import SharedOutput
from histocli.data.stores import TileStore, open_store
from histocli.data.tiles import TileSource
from histocli.data.writing import Journal, full_disk_named
from histocli.errors import HistoError
from histocli.preparation.output import (
    JOURNALS,
    REFERENCE_NAME,
    NormalizeResult,
    check_folder,
    check_names,
    earlier_record,
    finished_result,
)
from histocli.preparation.stain_context import CONTEXT_NAME, StainContext, drop_prepared
from histocli.preparation.stream import StainWork, not_yet_done, run_stream
from histocli.preparation.tables import write_label_table, write_manifest
from histocli.run_record import RunRecord
from histocli.stain.batches import StainImage
from histocli.stain.normalizers import Normalizer, Reference


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
    shard: Shard | None = None,
) -> NormalizeResult:
    """Normalise every tile of a source, or of a part, into ``output``, in the layout that it has.

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
        shard: The part; all tiles when None.

    Raises:
        SettingsError: If ``output`` was made otherwise, holds something else or is being written.
    """
    check_folder(output)
    work = StainWork(normalizer, context, references or {}, image, place)
    with SharedOutput(output, shard or Shard()) as shared:
        return normalize_part(
            source,
            shared,
            work,
            record,
            batch_size=batch_size,
            to=to,
            workers=workers,
            overwrite=overwrite,
            strict=strict,
            progress=progress,
        )


def normalize_part(
    source: TileSource,
    shared: SharedOutput,
    work: StainWork,
    record: RunRecord,
    *,
    batch_size: int,
    to: str,
    workers: int | None,
    overwrite: bool,
    strict: bool,
    progress: Callable[[int], None] | None,
) -> NormalizeResult:
    """Normalise the part of an output that this process holds; see ``normalize_tiles``."""
    check_names(source)
    part = shared.shard.part(len(source.tiles))
    threads = workers or default_workers()
    advance = progress or (lambda _: None)
    with (
        full_disk_named(shared.output),
        closing(open_store(to, source, shared.output, part)) as store,
    ):
        finished = _begin(source, shared, work, record, store, to=to, overwrite=overwrite)
        if finished is None:
            with shared.journal_entries(JOURNALS, source.tiles) as entries:
                todo = not_yet_done(part, entries, store)
            advance(len(part) - len(todo))
            with Journal(shared.journal(JOURNALS), keep=False) as journal:
                run_stream(
                    source,
                    todo,
                    work,
                    journal,
                    store,
                    batch_size=batch_size,
                    workers=threads,
                    progress=advance,
                )
            shared.end_part()
            finished = _complete(source, shared, record, store, to, len(part) - len(todo))
    if not finished.missing:
        check_skipped(finished.skipped, finished.tiles, strict=strict)
    return finished


def _begin(
    source: TileSource,
    shared: SharedOutput,
    work: StainWork,
    record: RunRecord,
    store: TileStore,
    *,
    to: str,
    overwrite: bool,
) -> NormalizeResult | None:
    """Write what all parts share; the result where nothing is left to do."""
    output = shared.output
    with shared.alone():
        earlier = earlier_record(record, shared, store, overwrite=overwrite)
        finished = finished_result(source, output, earlier, to)
        if finished is not None:
            shared.complete(JOURNALS)
            drop_prepared(output)
            return finished
        shared.begin_part()
        if earlier is None or earlier.state != "running" or shared.shard.is_whole:
            record.write(output)
        work.normalizer.reference.save(output / REFERENCE_NAME)
        if work.context is not None:
            work.context.save(output / CONTEXT_NAME)
    return None


def _complete(
    source: TileSource,
    shared: SharedOutput,
    record: RunRecord,
    store: TileStore,
    to: str,
    already_done: int,
) -> NormalizeResult:
    """Make the output whole if all parts are finished and no other process has done so."""
    output, total = shared.output, len(source.tiles)
    with shared.alone():
        finished = finished_result(source, output, RunRecord.read(output), to)
        if finished is not None:
            return finished
        missing = shared.missing()
        part = shared.shard.part(total) if missing else range(total)
        with shared.journal_entries(JOURNALS, source.tiles) as entries:
            written, skipped = _known(source, part, entries, output)
            tally = Tally()
            rows = tally.counting(entries[index] for index in written)
            if missing:
                deque(rows, maxlen=0)
                return NormalizeResult(
                    output, len(part), *tally.sorted(), skipped, already_done, missing
                )
            store.finish(written, entries.digest)
            if to == "folder":
                write_label_table(source, output, {source.tiles[index].id for index in written})
            tiles = (source.tiles[index] for index in written)
            write_manifest(output, tiles, rows, store.names(written))
        write_skipped(output, skipped)
        statuses, estimates = tally.sorted()
        remove_temporary_files(output)
        record.finish(
            output,
            tiles=len(written),
            by_status=statuses,
            by_estimate=estimates,
            skipped=len(skipped),
        )
        shared.complete(JOURNALS)
        drop_prepared(output)
    return NormalizeResult(output, total, statuses, estimates, skipped, already_done)


def _known(
    source: TileSource, part: range, entries: JournalEntries, output: Path
) -> tuple[list[int], list[SkippedTile]]:
    """The tiles that were written, ascending, and those that could not be read."""
    written, skipped = [], []
    for index in part:
        tile = source.tiles[index].id
        if index not in entries:
            raise HistoError(f"{output}: {tile} stands in no journal; run again")
        if entries.digest(index) is None:
            skipped.append(SkippedTile(tile, entries[index]["skipped"]))
        else:
            written.append(index)
    return written, skipped


@dataclass(frozen=True)
class Tally:
    """Tiles by status and by whose estimate served them, counted as their entries pass by."""

    statuses: Counter[str] = field(default_factory=Counter)
    estimates: Counter[str] = field(default_factory=Counter)

    def counting(self, entries: Iterable[Entry]) -> Iterator[Entry]:
        """The same entries."""
        for entry in entries:
            self.statuses[entry["status"]] += 1
            self.estimates[entry["estimate"]] += 1
            yield entry

    def sorted(self) -> tuple[dict[str, int], dict[str, int]]:
        """Both counts, by name."""
        return dict(sorted(self.statuses.items())), dict(sorted(self.estimates.items()))
