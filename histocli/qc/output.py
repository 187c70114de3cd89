"""The folder that `histo qc` writes: whether it may be, and what an earlier run left in it."""

from pathlib import Path

from histocli.data.loading import SkippedTile, read_skipped
from histocli.data.shared_output import SharedOutput
from histocli.errors import SettingsError
from histocli.qc.result import SUMMARY_NAME, QCResult
from histocli.run_record import RunRecord

JOURNALS = ".journal*.jsonl"


def check_folder(output: Path) -> None:
    """Refuse a folder with files of somebody else; hidden ones are what an early end of ours left.

    Raises:
        SettingsError: Naming the folder.
    """
    if not output.exists() or RunRecord.read_if_present(output) is not None:
        return
    if any(not path.name.startswith(".") for path in output.iterdir()):
        raise SettingsError(
            f"{output} holds files that histo qc did not write; choose another --output"
        )


def earlier_record(record: RunRecord, shared: SharedOutput, *, overwrite: bool) -> RunRecord | None:
    """The record of an earlier run that this one continues; None where it begins anew.

    Of several parts with ``overwrite`` the first to come begins anew, and the others only their own part.

    Raises:
        SettingsError: If the folder was made otherwise.
    """
    output = shared.output
    earlier = RunRecord.read_if_present(output)
    if earlier is not None and overwrite and earlier.command == record.command:
        running = not shared.shard.is_whole and earlier.state == "running"
        if running and _continues(record, earlier, output):
            shared.journal(JOURNALS).unlink(missing_ok=True)
        else:
            earlier = None
    if earlier is None:
        shared.forget(JOURNALS)
        return None
    record.check_continues(earlier, output)
    record.started = earlier.started
    return earlier


def finished_result(output: Path, earlier: RunRecord | None) -> QCResult | None:
    """The result of an earlier run that ended.

    Raises:
        InputError: If its file is damaged.
    """
    if earlier is None or earlier.state != "done":
        return None
    return QCResult.read(output)


def skipped_of(output: Path) -> list[SkippedTile]:
    """Tiles that could not be read."""
    return read_skipped(output) if (output / SUMMARY_NAME).is_file() else []


def _continues(record: RunRecord, earlier: RunRecord, output: Path) -> bool:
    try:
        record.check_continues(earlier, output)
    except SettingsError:
        return False
    return True
