"""One table of predictions, made in parts by several processes; the last to finish writes it."""

import glob
import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from histocli.atomic_files import parse_json, remove_abandoned, write_json
from histocli.data.loading import (
    SKIPPED_NAME,
    SkippedTile,
    check_skipped,
    read_skipped,
    write_skipped,
)
from histocli.data.shards import Shard
from histocli.data.shared_output import SharedOutput
from histocli.data.tiles import TileSource
from histocli.data.writing import Journal, full_disk_named, journal_lines
from histocli.errors import SettingsError
from histocli.predictions import Predictions


class Compute(Protocol):
    """Predicts some tiles."""

    def __call__(
        self, indices: Sequence[int], journal: Journal, skipped: list[SkippedTile], *, silent: bool
    ) -> Predictions:
        """Predict what the journal does not hold.

        Args:
            indices: Places of the tiles.
            journal: What is done already; receives the rest.
            skipped: Receives the tiles that cannot be read.
            silent: Report no progress.
        """
        ...


@dataclass(frozen=True)
class PredictedPart:
    """Predictions of one part, or of all tiles where no part is missing.

    Attributes:
        predictions: Of the tiles that could be read.
        skipped: Tiles that could not.
        missing: Parts that are not finished yet.
    """

    predictions: Predictions
    skipped: Sequence[SkippedTile]
    missing: Sequence[Shard] = ()


def check_table(output: Path, shard: Shard, *, overwrite: bool) -> None:
    """Refuse a table that may not be replaced.

    One that parts wrote may be this part's own, one beside a journal what a killed process wrote last:
    that is looked at when the work is known.

    Raises:
        SettingsError: Naming the table.
    """
    unfinished = any(output.parent.glob(f".{glob.escape(output.name)}.*.journal"))
    own = unfinished or (not shard.is_whole and _record_of(output).exists())
    if output.exists() and not overwrite and not own:
        raise _exists(output)


def predict_part(
    source: TileSource,
    shared: SharedOutput,
    identity: str,
    compute: Compute,
    *,
    batch_size: int,
    overwrite: bool = False,
) -> PredictedPart:
    """Predict the part of a table that this process holds; write the table if no other is missing.

    Args:
        source: All tiles.
        shared: The table, and the part.
        identity: Tells this work from other work that would write the same table.
        compute: Predicts some tiles.
        batch_size: Parts begin at its multiples, so that the batches are those of one process.
        overwrite: Replace the table.

    Raises:
        SettingsError: If the table is of other work and may not be replaced.
        InputError: If no tile of the source can be read.
    """
    output, part = shared.output, shared.shard.part(len(source.tiles), batch_size)
    pattern = f".{output.name}.{identity[:12]}*.journal"
    with shared.alone():
        finished = None if overwrite else _finished(output, identity)
        if finished is not None:
            return finished
        own_journal = shared.journal(pattern)
        # A table beside a journal of this very work is what a process had written that was then killed.
        if output.exists() and not (overwrite or own_journal.exists()):
            raise _exists(output)
        _record_of(output).unlink(missing_ok=True)
        for path in (output, output.with_name(SKIPPED_NAME)):
            remove_abandoned(path.parent, path.name)
    skipped: list[SkippedTile] = []
    with full_disk_named(output), Journal(own_journal) as journal:
        _add_other_journals(journal, pattern)
        predictions = compute(part, journal, skipped, silent=False)
        shared.end_part(identity)
        with shared.alone():
            finished = _finished(output, identity)
            if finished is not None:
                return finished
            missing = shared.missing(identity)
            if missing:
                return PredictedPart(predictions, skipped, missing)
            if not shared.shard.is_whole:
                skipped = []
                _add_other_journals(journal, pattern)
                everything = range(len(source.tiles))
                predictions = compute(everything, journal, skipped, silent=True)
            check_skipped(skipped, len(source.tiles), strict=False)
            write_skipped(output.parent, skipped)
            predictions.write(output)
            if not shared.shard.is_whole:
                write_json(_record_of(output), _record(output, identity))
            shared.complete(pattern)
            journal.remove()
    return PredictedPart(predictions, skipped)


def combine_facts(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Of what parts say of themselves, the whole where one of them completed the table, else their sum."""
    last = dict(min(parts, key=lambda part: len(part["missing_shards"])))
    if last["missing_shards"]:
        predicted: Counter[str] = Counter(dict.fromkeys(last["predicted"], 0))
        for part in parts:
            predicted.update(part["predicted"])
        counts = {name: sum(part[name] for part in parts) for name in ("tiles", "skipped")}
        last.update(counts, predicted=dict(predicted))
    return last


def _add_other_journals(journal: Journal, pattern: str) -> None:
    """Know what the journals of the other parts hold; parts of another number count too."""
    for path in sorted(journal.path.parent.glob(pattern)):
        if path != journal.path:
            journal.entries.update({entry["tile"]: entry for entry, _ in journal_lines(path)})


def _exists(output: Path) -> SettingsError:
    return SettingsError(f"{output} exists; pass --overwrite, or choose another --output")


def _record_of(output: Path) -> Path:
    """Says what work parts of a table came from, to a part that comes again."""
    return output.with_name(f".{output.name}.made-in-shards.json")


def _record(output: Path, identity: str) -> dict[str, Any]:
    table = hashlib.sha256(output.read_bytes()).hexdigest()
    return {"identity": identity, "sha256": table}


def _finished(output: Path, identity: str) -> PredictedPart | None:
    """The table, if parts of the same work wrote it and nobody changed it since."""
    try:
        recorded = parse_json(_record_of(output).read_text())
        if recorded != _record(output, identity):
            return None
    except (FileNotFoundError, ValueError):
        return None
    return PredictedPart(Predictions.read(output), read_skipped(output.parent))
