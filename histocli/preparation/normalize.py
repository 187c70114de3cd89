"""Normalise a source, or a part of it, into a folder; whoever finds all parts finished completes it."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

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
    remove_temporary_files,
)
from histocli.preparation.stain_context import CONTEXT_NAME, StainContext, drop_prepared
from histocli.preparation.stream import StainWork, not_yet_done, run_stream
from histocli.preparation.tables import write_label_table, write_manifest
from histocli.run_record import RunRecord
from histocli.stain.batches import StainImage
from histocli.stain.normalizers import Normalizer, Reference

Entry = dict[str, Any]


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
        closing(open_store(to, source, shared.output, threads, part)) as store,
    ):
        finished = _begin(source, shared, work, record, store, to=to, overwrite=overwrite)
        if finished is None:
            digests = _digests(shared)
            todo = not_yet_done(source, part, digests, store)
            del digests
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
        if missing:
            part = shared.shard.part(total)
            entries, skipped = _known(source, part, shared)
            statuses, estimates = _counts(entries)
            return NormalizeResult(
                output, len(part), statuses, estimates, skipped, already_done, missing
            )
        lines, skipped = _known(source, range(total), shared)
        store.finish({index: entry["sha256"] for index, entry in _parsed(lines)})
        if to == "folder":
            write_label_table(source, output, {source.tiles[index].id for index in lines})
        write_manifest(
            source, output, (entry for _, entry in _parsed(lines)), store.names(list(lines))
        )
        write_skipped(output, skipped)
        statuses, estimates = _counts(lines)
        remove_temporary_files(output)
        record.finish(
            output,
            tiles=len(lines),
            by_status=statuses,
            by_estimate=estimates,
            skipped=len(skipped),
        )
        shared.complete(JOURNALS)
        drop_prepared(output)
    return NormalizeResult(output, total, statuses, estimates, skipped, already_done)


def _digests(shared: SharedOutput) -> dict[str, str]:
    """Hashes of the tiles that the journals call written."""
    entries = ((tile, json.loads(line)) for tile, line in shared.journal_lines(JOURNALS).items())
    return {tile: entry["sha256"] for tile, entry in entries if "sha256" in entry}


def _known(
    source: TileSource, part: range, shared: SharedOutput
) -> tuple[dict[int, bytes], list[SkippedTile]]:
    """Lines of the journals by the tiles' places, ascending, and the tiles that could not be read."""
    lines = shared.journal_lines(JOURNALS)
    written, skipped = {}, []
    for index in part:
        tile = source.tiles[index].id
        if tile not in lines:
            raise HistoError(f"{shared.output}: {tile} stands in no journal; run again")
        entry = json.loads(lines[tile])
        if "skipped" in entry:
            skipped.append(SkippedTile(tile, entry["skipped"]))
        else:
            written[index] = lines[tile]
    return written, skipped


def _parsed(lines: Mapping[int, bytes]) -> Iterator[tuple[int, Entry]]:
    # One at a time: a million as objects would take gigabytes.
    return ((index, json.loads(line)) for index, line in lines.items())


def _counts(lines: Mapping[int, bytes]) -> tuple[dict[str, int], dict[str, int]]:
    statuses: Counter[str] = Counter()
    estimates: Counter[str] = Counter()
    for _, entry in _parsed(lines):
        statuses[entry["status"]] += 1
        estimates[entry["estimate"]] += 1
    return dict(sorted(statuses.items())), dict(sorted(estimates.items()))
