"""Read, measure, judge: the stream behind `histo qc`, which continues where it was stopped."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from histocli.atomic_files import write_json
from histocli.data.loading import SkippedTile, check_skipped, load_batches, write_skipped
from histocli.data.shards import Shard
from histocli.data.shared_output import SharedOutput
from histocli.data.tiles import TileSource
from histocli.data.writing import Journal, full_disk_named
from histocli.errors import HistoError
from histocli.qc.judgment import judge_tiles
from histocli.qc.measured import MeasuredTiles, journal_entries
from histocli.qc.near_duplicates import LARGEST_DISTANCE
from histocli.qc.output import JOURNALS, earlier_record, finished_result, skipped_of
from histocli.qc.result import SUMMARY_NAME, QCResult, summarize, write_table
from histocli.qc.sheets import write_sheets
from histocli.qc.thresholds import Thresholds
from histocli.run_record import RunRecord
from histocli.stage_clock import CLOCK


@dataclass(frozen=True)
class Judging:
    """By what tiles are judged.

    Attributes:
        thresholds: Where a tile fails.
        fit: Set the thresholds from the tiles first.
        keep: Thresholds that fitting leaves alone.
        distance: Bits in which the hashes of near duplicates may differ.
    """

    thresholds: Thresholds = field(default_factory=Thresholds)
    fit: bool = False
    keep: frozenset[str] = frozenset()
    distance: int = LARGEST_DISTANCE


def check_tiles(
    source: TileSource,
    shared: SharedOutput,
    *,
    judging: Judging,
    record: RunRecord,
    batch_size: int = 256,
    workers: int | None = None,
    overwrite: bool = False,
    strict: bool = False,
    progress: Callable[[int], None] | None = None,
) -> QCResult:
    """Check every tile of a source, or of a part: ``qc.csv``, ``qc.json``, contact sheets of the rejects.

    A finished check of the same tiles by the same thresholds is read back, not repeated; a stopped one
    is continued, and ends with the same bytes, as does one in parts. Whoever finds all parts finished
    judges them.

    Args:
        source: The tiles.
        shared: Folder to write, and the part that this process holds of it.
        judging: By what they are judged.
        record: Provenance; decides whether an earlier run is continued.
        batch_size: Tiles per batch; no result depends on it.
        workers: Decoding threads.
        overwrite: Begin anew.
        strict: Raise if a tile could not be read.
        progress: Called with the number of tiles done since the last call.

    Raises:
        SettingsError: If the folder was made otherwise, holds something else or is being written.
        InputError: If no tile can be read.
        SkippedInputsError: With ``strict``, if one cannot; the files are written all the same.
    """
    advance = progress or (lambda _: None)
    with full_disk_named(shared.output):
        result = _begin(source, shared, record, overwrite=overwrite)
        if result is None:
            _measure(source, shared, batch_size, workers, advance)
            shared.end_part()
            result = _complete(source, shared, judging, record)
        else:
            advance(len(shared.shard.part(len(source.tiles))))
    if not result.missing:
        check_skipped(skipped_of(shared.output), len(source.tiles), strict=strict)
    return result


def check_whole(
    source: TileSource, output: Path, shard: Shard | None = None, **arguments: object
) -> QCResult:
    """``check_tiles`` of all tiles, or of a part, for those who hold no part of the output yet."""
    with SharedOutput(output, shard or Shard()) as shared:
        return check_tiles(source, shared, **arguments)  # type: ignore[arg-type] # named above


def _begin(
    source: TileSource, shared: SharedOutput, record: RunRecord, *, overwrite: bool
) -> QCResult | None:
    """Write what all parts share; the result where nothing is left to do."""
    del source
    with shared.alone():
        earlier = earlier_record(record, shared, overwrite=overwrite)
        finished = finished_result(shared.output, earlier)
        if finished is not None:
            shared.complete(JOURNALS)
            return finished
        shared.begin_part()
        if earlier is None or earlier.state != "running" or shared.shard.is_whole:
            record.write(shared.output)
    return None


def _measure(
    source: TileSource,
    shared: SharedOutput,
    batch_size: int,
    workers: int | None,
    progress: Callable[[int], None],
) -> None:
    """Bring the journals up to one entry for each tile of the part."""
    part = shared.shard.part(len(source.tiles))
    known = MeasuredTiles.read(source.tiles, sorted(shared.output.glob(JOURNALS)))
    # What could not be read is tried again: a network drive may have come back.
    missing = {*known.missing, *known.unreadable}
    todo = [index for index in part if index in missing]
    del known
    progress(len(part) - len(todo))
    skipped: list[SkippedTile] = []
    with Journal(shared.journal(JOURNALS), keep=False) as journal:
        batches = load_batches(source, todo, batch_size, skipped, workers=workers)
        for batch in CLOCK.between(batches, "reading", "measuring"):
            journal.append(journal_entries(source.tiles, batch))
            progress(len(batch.indices))
        journal.append([{"tile": tile.id, "skipped": tile.reason} for tile in skipped])
        progress(len(skipped))


def _complete(
    source: TileSource, shared: SharedOutput, judging: Judging, record: RunRecord
) -> QCResult:
    """Judge the tiles if all parts are finished and no other process has done so."""
    output = shared.output
    with shared.alone():
        finished = finished_result(output, RunRecord.read(output))
        if finished is not None:
            return finished
        missing = shared.missing()
        if missing:
            return QCResult(output, {}, missing)
        measured = MeasuredTiles.read(source.tiles, sorted(output.glob(JOURNALS)))
        if measured.missing:
            tile = source.tiles[measured.missing[0]].id
            raise HistoError(f"{output}: {tile} stands in no journal; run again")
        judgment = judge_tiles(
            measured,
            judging.thresholds,
            fit=judging.fit,
            keep=judging.keep,
            distance=judging.distance,
        )
        write_table(output, judgment)
        write_sheets(source, output, judgment)
        unread = measured.unreadable.items()
        write_skipped(output, [SkippedTile(source.tiles[p].id, reason) for p, reason in unread])
        content = summarize(judgment)
        write_json(output / SUMMARY_NAME, content)
        result = QCResult(output, content)
        record.finish(output, tiles=result.tiles, passed=result.passed, failed=result.failed)
        shared.complete(JOURNALS)
    return result
