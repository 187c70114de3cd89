"""One output that several processes write: who has which part, and which parts are finished.

Hidden files beside the output say it, under locks of the file system: they end with the process that
holds them, however it ends. Only the first of these files, ``.lock``, stays.
"""

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from filelock import FileLock, Timeout

from histocli.atomic_files import parse_json, write_json, write_text
from histocli.data.journal_entries import JournalEntries
from histocli.data.shards import Shard
from histocli.data.tiles import Inspectable, Tile, TileSource, content_hash
from histocli.errors import BusyOutputError, SettingsError

MARKS = ("begun", "done")


class SharedOutput:
    """A part of an output, held by this process alone as a context manager.

    Args:
        output: What is written: a folder, or a table.
        shard: The part.
        table: The hidden files of a table lie beside it and bear its name; those of a folder, in it.
        say: Told what is waited for.

    Raises:
        BusyOutputError: On entering, if another process has the part.
        SettingsError: On entering, if the output is being written in another number of parts.
    """

    def __init__(
        self,
        output: Path,
        shard: Shard,
        *,
        table: bool = False,
        say: Callable[[str], None] | None = None,
    ) -> None:
        self.output = output
        self.shard = shard
        self._say = say
        self._folder = output.parent if table else output
        self._prefix = f".{output.name}." if table else "."
        self._gate = FileLock(self._folder / f"{self._prefix}lock")
        self._lock = FileLock(self._of(shard, "lock"))

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        with self.alone():
            self._check_number_of_parts()
            if not _acquire(self._lock):
                what = "it" if self.shard.is_whole else f"its shard {self.shard}"
                raise BusyOutputError(
                    f"{self.output}: another process is writing {what}; wait until that has ended and "
                    "run again, or choose another --output"
                )
            for mark in MARKS:
                self._of(self.shard, mark).unlink(missing_ok=True)
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._lock.release()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep every other process from beginning or ending a part; wait for one that does."""
        if not _acquire(self._gate):
            if self._say is not None:
                self._say(f"waiting for another process that prepares or completes {self.output}")
            self._gate.acquire()
        try:
            yield
        finally:
            self._gate.release()

    def begin_part(self) -> None:
        """Say that the part is being worked on. Only where ``alone``."""
        write_text(self._of(self.shard, "begun"), "")

    def end_part(self, identity: str = "") -> None:
        """Say that the part is finished; ``identity`` tells parts of different work apart."""
        write_text(self._of(self.shard, "done"), identity)

    def missing(self, identity: str = "") -> list[Shard]:
        """Parts that are not finished."""
        return [one for one in self.shard.siblings() if not self._is_finished(one, identity)]

    def journal(self, pattern: str) -> Path:
        """The part's journal; ``*`` in the pattern gives place to the part's name."""
        mark = "" if self.shard.is_whole else f"-{_name(self.shard)}"
        return self._folder / pattern.replace("*", mark)

    def journal_entries(self, pattern: str, tiles: Sequence[Tile]) -> JournalEntries:
        """What the journals of all parts say; parts of another number count too.

        A run may go on in more or fewer parts.
        """
        return JournalEntries(sorted(self._folder.glob(pattern)), tiles)

    def forget(self, pattern: str) -> None:
        """Remove all journals and marks: the work begins anew. Only where ``alone``.

        Raises:
            SettingsError: If a process is at work on another part; one that waits is none.
        """
        for path in self._files("begun"):
            other = FileLock(path.with_suffix(".lock"))
            if path != self._of(self.shard, "begun") and not _acquire(other):
                raise SettingsError(
                    f"{self.output}: another process is writing a part of it; wait until that has ended"
                )
            other.release()
        self._clear(pattern)

    def complete(self, pattern: str) -> None:
        """Remove what only an unfinished output needs. Only where ``alone``, all parts finished.

        The journals go last: where one is left, a process was killed here, and the work is continued.
        """
        marks = [path for mark in (*MARKS, "lock") for path in self._files(mark)]
        source = self._folder / f"{self._prefix}source.json"
        for path in [*marks, source, *self._folder.glob(pattern)]:
            path.unlink(missing_ok=True)

    def source_sha256(self, source: TileSource) -> str:
        """Content hash of a source; of many parts only the first reads all tiles for it.

        The others check that names, sizes and times of the files are the same.
        """
        count = range(len(source.tiles))
        if self.shard.is_whole:
            return content_hash(source, count)
        path = self._folder / f"{self._prefix}source.json"
        with self.alone():
            key = _fingerprint(source)
            try:
                saved = parse_json(path.read_text())
            except (OSError, ValueError):
                saved = {}
            if saved.get("fingerprint") != key:
                saved = {"fingerprint": key, "sha256": content_hash(source, count)}
                write_json(path, saved)
        return str(saved["sha256"])

    def _clear(self, pattern: str) -> None:
        marks = (path for mark in MARKS for path in self._files(mark))
        for path in [*self._folder.glob(pattern), *marks]:
            path.unlink(missing_ok=True)

    def _check_number_of_parts(self) -> None:
        """Nobody may be at work in another number of parts; what such work left is cleared away."""
        mark = f"-of-{self.shard.of}."
        for path in self._files("lock"):
            if mark in path.name:
                continue
            other = FileLock(path)
            if not _acquire(other):
                parts = int(re.findall(r"-of-(\d+)\.", path.name)[-1])
                how = "as a whole" if parts == 1 else f"in {parts} shards"
                raise SettingsError(
                    f"{self.output}: another process is writing it {how}; wait until that has ended, "
                    "or choose another --output"
                )
            path.unlink(missing_ok=True)
            for kind in MARKS:
                path.with_suffix(f".{kind}").unlink(missing_ok=True)
            other.release()

    def _is_finished(self, shard: Shard, identity: str) -> bool:
        try:
            return self._of(shard, "done").read_text() == identity
        except FileNotFoundError:
            return False

    def _of(self, shard: Shard, kind: str) -> Path:
        return self._folder / f"{self._prefix}shard-{_name(shard)}.{kind}"

    def _files(self, kind: str) -> list[Path]:
        return sorted(self._folder.glob(f"{self._prefix}shard-*-of-*.{kind}"))


def _name(shard: Shard) -> str:
    return f"{shard.number}-of-{shard.of}"


def _acquire(lock: FileLock) -> bool:
    """Take a lock if it is free.

    Raises:
        SettingsError: If the file system has no locks.
    """
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return False
    except (OSError, NotImplementedError) as error:
        raise SettingsError(
            f"{lock.lock_file}: cannot be locked ({error}); choose an --output that can be written, on a "
            "file system with locks (Lustre: mounted with -o flock)"
        ) from error
    return True


def _fingerprint(source: TileSource) -> str:
    """What changes with the tiles and is known without reading them."""
    base = source.root if source.root.is_dir() else source.root.parent
    files = {base / tile.id.partition("#")[0] for tile in source.tiles}
    files |= {source.root, *(source.files if isinstance(source, Inspectable) else ())}

    def described(path: Path) -> str:
        try:
            found = path.stat()
        except OSError:
            return f"{path}\n"
        return f"{path} {found.st_size} {found.st_mtime_ns}\n"

    digest = hashlib.sha256()
    for tile in source.tiles:
        digest.update(f"{tile!r}\n".encode())
    with ThreadPoolExecutor() as pool:
        for line in pool.map(described, sorted(files)):
            digest.update(line.encode())
    return digest.hexdigest()
