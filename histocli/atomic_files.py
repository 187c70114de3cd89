"""Files that are whole or absent: a temporary name, fsync, rename.

Every layer writes through these functions, so a reader never meets half a file under a final name.
"""

import csv
import errno
import glob
import io
import json
import math
import os
import re
import shutil
import socket
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from histocli.errors import HistoError, SettingsError

DISK_FULL = "the disk is full; free some space and run again"
_TEMPORARY = re.compile(r"\..+\.tmp-(?:(?P<host>.+)-)?(?P<process>\d{1,9})")


def temporary_name(path: Path) -> Path:
    """Where a file or folder is written before it takes its name; it says whose it is."""
    return path.with_name(f".{path.name}.tmp-{socket.gethostname()}-{os.getpid()}")


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; on success it takes its name.

    It is flushed to disk before that, so that the file also survives a loss of power. Tiles go without,
    see ``histocli.data.writing``: they are many, and their hash tells whether they are whole. A link
    stays, and what it leads to is replaced.

    Raises:
        SettingsError: If a device or a pipe has that name: it would be replaced by a file.
        HistoError: If the disk is full.
    """
    path = path.resolve() if path.is_symlink() else path
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise SettingsError(f"{path} is no regular file; name another path")
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_name(path)
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except Exception as error:
        if is_full(error):
            raise disk_full(path) from error
        raise
    finally:
        temporary.unlink(missing_ok=True)


def final_name(path: Path) -> Path:
    """The name that a temporary file was to take; any other path stays as it is."""
    if _TEMPORARY.fullmatch(path.name):
        return path.with_name(path.name[1:].rpartition(".tmp-")[0])
    return path


def remove_temporary_files(folder: Path) -> None:
    """Remove what killed processes were about to write. Only where no other is at work."""
    for path in folder.rglob(".*.tmp-*"):
        if _TEMPORARY.fullmatch(path.name):
            path.unlink(missing_ok=True)


def remove_abandoned(folder: Path, name: str | None = None) -> None:
    """Remove what processes of this machine were about to write when they were killed.

    Args:
        folder: Where to look.
        name: Of the one file or folder that they were writing; None for all, in folders below too.
    """
    pattern = "**/.*.tmp-*" if name is None else f".{glob.escape(name)}.tmp-*"
    for path in folder.glob(pattern):
        match = _TEMPORARY.fullmatch(path.name)
        if match is None or match["host"] != socket.gethostname():
            continue
        if not _is_running(int(match["process"])):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def _is_running(process: int) -> bool:
    if sys.platform == "win32":
        return True  # asking would end it
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def is_full(error: BaseException) -> bool:
    """Whether an error tells of a full disk; libraries put the system's words into errors of their own."""
    number = error.errno if isinstance(error, OSError) else None
    return number in (errno.ENOSPC, errno.EDQUOT) or "No space left on device" in str(error)


def disk_full(path: Path) -> HistoError:
    """What to raise where there is no space left for a file."""
    return HistoError(f"{path}: {DISK_FULL}")


def write_bytes(path: Path, content: bytes) -> None:
    """Write ``content`` to ``path`` atomically."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, content: str) -> None:
    """Write ``content`` to ``path`` atomically, as UTF-8 with Unix line ends."""
    write_bytes(path, content.encode())


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write ``content`` as indented JSON; NaN and infinities become null, as JSON has neither."""
    write_text(path, json.dumps(without_nan(content), indent=2, ensure_ascii=False) + "\n")


def parse_json(text: str | bytes) -> Any:
    """What was written as JSON.

    Raises:
        ValueError: If it is none, however it is damaged: Python has an error of its own for deep nesting.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a table with Unix line ends; floats keep every digit, None is an empty cell."""
    with io.StringIO(newline="") as buffer:
        write_csv_rows(buffer, [header, *rows])
        write_text(path, buffer.getvalue())


def write_csv_rows(file: IO[str], rows: Iterable[Sequence[object]]) -> None:
    """Append rows to an open text file."""
    csv.writer(file, lineterminator="\n").writerows(rows)


def without_nan(value: Any) -> Any:
    """Replace NaN and infinities by None, as JSON has neither."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {key: without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(item) for item in value]
    return value
