"""Write tiles, and keep a journal from which a stopped run goes on."""

import errno
import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic_core import from_json, to_json

from histocli.atomic_files import DISK_FULL, is_full
from histocli.data.png import encode_png
from histocli.errors import HistoError, SettingsError

NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0)


def write_tile(path: Path, pixels: NDArray[np.uint8]) -> str:
    """Write one tile as PNG atomically; the SHA-256 of the file is returned."""
    content = encode_png(pixels)
    _write_quickly(path, content)
    return hashlib.sha256(content).hexdigest()


def _write_quickly(path: Path, content: bytes) -> None:
    """Like ``write_bytes`` in half as many system calls, and not flushed: there are many tiles.

    The journal's hash tells on the next run whether one is whole.
    """
    temporary = path.with_name(f".{path.name}.tmp-{os.getpid()}")
    try:
        descriptor = os.open(temporary, NEW_FILE, 0o666)
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(temporary, NEW_FILE, 0o666)
    try:
        try:
            while content:
                content = content[os.write(descriptor, content) :]
        finally:
            os.close(descriptor)
        temporary.replace(path)
    except OSError:
        temporary.unlink()
        raise


@contextmanager
def full_disk_named(output: Path) -> Iterator[None]:
    """Turn a full disk, one that takes no file so large or none at all, into an error that says so.

    Raises:
        HistoError: Naming ``output``.
        SettingsError: Naming what cannot be written there.
    """
    try:
        yield
    except OSError as error:
        if is_full(error):
            raise HistoError(f"{output}: {DISK_FULL} to continue") from error
        if error.errno == errno.EFBIG:
            raise HistoError(
                f"{output}: a file there may not be so large; choose another disk, or --to folder"
            ) from error
        file = Path(os.fsdecode(error.filename or ""))
        if error.errno in (errno.EROFS, errno.EACCES) and file.is_relative_to(output):
            raise SettingsError(
                f"{file}: cannot be written ({error.strerror}); choose an --output that can be written"
            ) from error
        raise


def journal_lines(path: Path) -> Iterator[tuple[dict[str, Any], int]]:
    """Each whole line of a journal as an object, and where it begins."""
    if not path.exists():
        return
    start = 0
    with path.open("rb") as file:
        for line in file:
            first, start = start, start + len(line)
            try:
                entry = from_json(line)
            except ValueError:
                continue
            if line.endswith(b"\n") and isinstance(entry, dict) and "tile" in entry:
                yield entry, first


class Journal:
    """One JSON object a line and tile, appended as work is done.

    A line that was cut when the process died is passed over, so what it named is done again.

    Args:
        path: The file.
        keep: Hold all entries in memory.
    """

    def __init__(self, path: Path, *, keep: bool = True) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self.entries: dict[str, dict[str, Any]] = {}
        self._keep = keep
        if keep:
            self.entries.update({entry["tile"]: entry for entry, _ in journal_lines(path)})
        # Without a buffer: what a full disk refused is not tried again on closing.
        self._file = path.open("ab", buffering=0)
        self._file.truncate(_end_of_whole_lines(path))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()

    def append(self, entries: Sequence[Mapping[str, Any]]) -> None:
        """Record finished tiles; on disk when this returns."""
        content = b"".join(to_json(entry, inf_nan_mode="constants") + b"\n" for entry in entries)
        while content:
            content = content[self._file.write(content) :]
        os.fsync(self._file.fileno())
        if self._keep:
            self.entries.update({entry["tile"]: dict(entry) for entry in entries})

    def remove(self) -> None:
        """Delete the journal once its content stands in the final files."""
        self._file.close()
        self.path.unlink(missing_ok=True)


def _end_of_whole_lines(path: Path) -> int:
    with path.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        while end:
            start = max(0, end - 65536)
            file.seek(start)
            cut = file.read(end - start).rfind(b"\n")
            if cut >= 0:
                return start + cut + 1
            end = start
    return 0
