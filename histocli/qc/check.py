"""Read, measure, judge: the stream behind `histo qc`, which continues where it was stopped."""

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from histocli.atomic_files import write_json
from histocli.data.loading import SkippedTile, check_skipped, load_batches, write_skipped
from histocli.data.tiles import TileBatch, TileSource
from histocli.data.writing import Journal
from histocli.errors import SettingsError
from histocli.qc.contact_sheet import RejectedTile, choose_tiles, write_contact_sheet
from histocli.qc.duplicates import find_duplicates, pixel_digest
from histocli.qc.measures import measure_tiles
from histocli.qc.result import (
    SHEET_NAME,
    SUMMARY_NAME,
    QCResult,
    read_skipped,
    summarize,
    write_table,
)
from histocli.qc.verdict import (
    DUPLICATE,
    MEASURE_OF_REASON,
    UNREADABLE,
    Measures,
    Thresholds,
    Verdict,
    judge,
)
from histocli.run_record import RunRecord

JOURNAL_NAME = ".journal.jsonl"


def check_tiles(
    source: TileSource,
    output: Path,
    *,
    thresholds: Thresholds,
    record: RunRecord,
    batch_size: int = 256,
    workers: int | None = None,
    overwrite: bool = False,
    strict: bool = False,
    progress: Callable[[int], None] | None = None,
) -> QCResult:
    """Check every tile of a source: ``qc.csv``, ``qc.json``, a contact sheet of the rejects.

    A finished check of the same tiles by the same thresholds is read back, not repeated; a stopped one
    is continued, and ends with the same bytes.

    Args:
        source: The tiles.
        output: Folder to write.
        thresholds: Where a tile fails.
        record: Provenance; decides whether an earlier run is continued.
        batch_size: Tiles per batch; no result depends on it.
        workers: Decoding threads.
        overwrite: Begin anew.
        strict: Raise if a tile could not be read.
        progress: Called with the number of tiles done since the last call.

    Raises:
        SettingsError: If ``output`` was made otherwise or holds something else.
        InputError: If no tile can be read.
        SkippedInputsError: With ``strict``, if one cannot; the files are written all the same.
    """
    if _is_finished(output, record, overwrite=overwrite):
        if progress is not None:
            progress(len(source.tiles))
        result = QCResult.read(output)
    else:
        result = _check(source, output, thresholds, record, batch_size, workers, progress)
    skipped = [SkippedTile(tile, reason) for tile, reason in read_skipped(output)]
    check_skipped(skipped, len(source.tiles), strict=strict)
    return result


def _is_finished(output: Path, record: RunRecord, *, overwrite: bool) -> bool:
    earlier = RunRecord.read_if_present(output)
    if earlier is None and output.exists() and any(output.iterdir()):
        raise SettingsError(
            f"{output} holds files that histo qc did not write; choose another --output"
        )
    if earlier is None:
        return False
    if overwrite and earlier.command == record.command:
        (output / JOURNAL_NAME).unlink(missing_ok=True)
        return False
    record.check_continues(earlier, output)
    record.started = earlier.started
    return earlier.state == "done"


def _check(
    source: TileSource,
    output: Path,
    thresholds: Thresholds,
    record: RunRecord,
    batch_size: int,
    workers: int | None,
    progress: Callable[[int], None] | None,
) -> QCResult:
    record.write(output)
    with Journal(output / JOURNAL_NAME) as journal:
        _measure_all(source, journal, batch_size, workers, progress or _say_nothing)
        entries = [journal.entries[tile.id] for tile in source.tiles]
        result = _write_results(source, output, thresholds, entries)
        record.finish(output, tiles=result.tiles, passed=result.passed, failed=result.failed)
        journal.remove()
    return result


def _say_nothing(_tiles: int) -> None:
    return


def _measure_all(
    source: TileSource,
    journal: Journal,
    batch_size: int,
    workers: int | None,
    progress: Callable[[int], None],
) -> None:
    """Bring the journal up to one entry for each tile."""
    todo = [index for index, tile in enumerate(source.tiles) if tile.id not in journal.entries]
    progress(len(source.tiles) - len(todo))
    skipped: list[SkippedTile] = []
    for batch in load_batches(source, todo, batch_size, skipped, workers=workers):
        journal.append(_measure_batch(source, batch))
        progress(len(batch.indices))
    journal.append([{"tile": tile.id, "unreadable": tile.reason} for tile in skipped])
    progress(len(skipped))


def _measure_batch(source: TileSource, batch: TileBatch) -> list[dict[str, Any]]:
    columns = measure_tiles(batch.pixels)
    return [
        {
            "tile": source.tiles[index].id,
            "digest": pixel_digest(pixels),
            # JSON has no NaN: undefined is null.
            "measures": {
                name: None if math.isnan(values[position]) else values[position]
                for name, values in columns.items()
            },
        }
        for position, (index, pixels) in enumerate(zip(batch.indices, batch.pixels, strict=True))
    ]


def _write_results(
    source: TileSource, output: Path, thresholds: Thresholds, entries: Sequence[Mapping[str, Any]]
) -> QCResult:
    measures: dict[str, Measures] = {
        entry["tile"]: {
            name: math.nan if value is None else float(value)
            for name, value in entry["measures"].items()
        }
        for entry in entries
        if UNREADABLE not in entry
    }
    digests = {entry["tile"]: str(entry["digest"]) for entry in entries if "digest" in entry}
    duplicates = find_duplicates(source.tiles, digests)
    verdicts = {tile.id: judge(measures.get(tile.id), thresholds) for tile in source.tiles}
    verdicts |= {name: verdicts[name].and_duplicate() for name in duplicates.repeated}

    write_table(output, source.tiles, measures, verdicts)
    _write_sheet(source, output, measures, verdicts)
    reasons = {e["tile"]: str(e[UNREADABLE]) for e in entries if UNREADABLE in e}
    write_skipped(output, [SkippedTile(tile, reason) for tile, reason in reasons.items()])
    content = summarize(source.tiles, measures, verdicts, duplicates, thresholds)
    write_json(output / SUMMARY_NAME, content)
    return QCResult(output, content)


def _write_sheet(
    source: TileSource,
    output: Path,
    measures: Mapping[str, Measures],
    verdicts: Mapping[str, Verdict],
) -> None:
    rejected = [
        RejectedTile(
            index, tile.id, verdicts[tile.id].reasons[0], _caption(tile.id, measures, verdicts)
        )
        for index, tile in enumerate(source.tiles)
        if verdicts[tile.id].reasons
    ]
    path = output / SHEET_NAME
    if not rejected:
        path.unlink(missing_ok=True)
        return
    totals: dict[str, int] = {}
    for tile in rejected:
        totals[tile.reason] = totals.get(tile.reason, 0) + 1
    chosen = choose_tiles(rejected)
    pixels = {
        tile.index: source.read(tile.index)
        for tiles in chosen.values()
        for tile in tiles
        if tile.reason != UNREADABLE
    }
    write_contact_sheet(path, chosen, totals, pixels)


def _caption(name: str, measures: Mapping[str, Measures], verdicts: Mapping[str, Verdict]) -> str:
    reason = verdicts[name].reasons[0]
    if reason in (UNREADABLE, DUPLICATE):
        return reason
    measure = MEASURE_OF_REASON[reason]
    return f"{measure.replace('_', ' ')} {measures[name][measure]:.3f}"
