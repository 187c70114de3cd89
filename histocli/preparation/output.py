"""The folder that `histo normalize` writes: whether it may be, and what an earlier run left in it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

from histocli.data.loading import SkippedTile, read_skipped
from histocli.data.normalized import normalized_name
from histocli.data.shards import Shard
from histocli.data.shared_output import SharedOutput
from histocli.data.stores import TileStore, open_store
from histocli.data.tiles import TileSource
from histocli.errors import SettingsError
from histocli.run_record import RunRecord

JOURNAL_NAME = ".journal.jsonl"
JOURNALS = ".journal*.jsonl"
REFERENCE_NAME = "reference.json"


@dataclass(frozen=True)
class NormalizeResult:
    """Counts of a finished normalisation, or of one part of an unfinished one.

    Attributes:
        output: The folder written.
        tiles: Tiles in the source, or in the part.
        by_status: Tiles by stain status.
        by_estimate: Tiles by whose estimate they were normalised by; ``identity`` is nobody's.
        skipped: Tiles that could not be read.
        already_done: Tiles that an earlier run had finished.
        missing: Parts of the source that are not finished yet.
    """

    output: Path
    tiles: int
    by_status: Mapping[str, int]
    by_estimate: Mapping[str, int]
    skipped: Sequence[SkippedTile]
    already_done: int
    missing: Sequence[Shard] = field(default=())


def combine_parts(parts: Sequence[NormalizeResult]) -> NormalizeResult:
    """Of several parts the whole where one of them completed it, else their sum."""
    last = min(parts, key=lambda part: len(part.missing))
    if not last.missing or len(parts) == 1:
        return last
    statuses: Counter[str] = Counter()
    estimates: Counter[str] = Counter()
    for part in parts:
        statuses.update(part.by_status)
        estimates.update(part.by_estimate)
    return replace(
        last,
        tiles=sum(part.tiles for part in parts),
        by_status=dict(sorted(statuses.items())),
        by_estimate=dict(sorted(estimates.items())),
        skipped=[tile for part in parts for tile in part.skipped],
        already_done=sum(part.already_done for part in parts),
    )


def check_folder(output: Path) -> None:
    """Refuse a folder with files of somebody else; hidden ones are what an early end of ours left.

    Raises:
        SettingsError: Naming the folder.
    """
    if not output.exists() or RunRecord.read_if_present(output) is not None:
        return
    if any(not path.name.startswith(".") for path in output.iterdir()):
        raise SettingsError(
            f"{output} holds files that histo normalize did not write; choose another --output"
        )


def check_names(source: TileSource) -> None:
    """Two tiles must not end in one file: a.jpg and a.png.

    Raises:
        SettingsError: Naming both.
    """
    seen: dict[str, str] = {}
    for tile in source.tiles:
        other = seen.setdefault(normalized_name(tile.id), tile.id)
        if other != tile.id:
            raise SettingsError(
                f"{source.root}: {other} and {tile.id} would both become {normalized_name(tile.id)}; "
                "rename one"
            )


def earlier_record(
    record: RunRecord, shared: SharedOutput, store: TileStore, *, overwrite: bool
) -> RunRecord | None:
    """The record of an earlier run that this one continues; None where it begins anew.

    Of several parts with ``overwrite`` the first to come begins anew, and the others only their own part.

    Raises:
        SettingsError: If the folder was made otherwise.
    """
    output = shared.output
    earlier = RunRecord.read_if_present(output)
    if earlier is not None and overwrite and not shared.shard.is_whole:
        if earlier.state == "done" or not _continues(record, earlier, output):
            earlier = None
        else:
            shared.journal(JOURNALS).unlink(missing_ok=True)
    elif overwrite:
        earlier = None
    if earlier is None:
        shared.forget(JOURNALS)
        store.discard()
        return None
    record.check_continues(earlier, output)
    record.started = earlier.started
    return earlier


def finished_result(
    source: TileSource, output: Path, earlier: RunRecord | None, to: str
) -> NormalizeResult | None:
    """The result of an earlier run that ended and whose files are all there."""
    if earlier is None or earlier.state != "done":
        return None
    skipped = read_skipped(output)
    unread = {tile.id for tile in skipped}
    wanted = [index for index, tile in enumerate(source.tiles) if tile.id not in unread]
    with closing(open_store(to, source, output)) as store:
        if not store.is_finished(wanted):
            return None
    counts, estimates = earlier.results["by_status"], earlier.results["by_estimate"]
    return NormalizeResult(output, len(source.tiles), counts, estimates, skipped, len(wanted))


def _continues(record: RunRecord, earlier: RunRecord, output: Path) -> bool:
    try:
        record.check_continues(earlier, output)
    except SettingsError:
        return False
    return True
