"""Tiles decoded by a process of their own, for files that have taken a process down before.

Decoders are libraries in C, and a file may be damaged or made so that one of them crashes. A process that
does many shards' work is then begun again (``histocli.scaling``), and reads what is left this way: the file
costs a reader, which is replaced, and is listed as a tile that cannot be read.
"""

import multiprocessing
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from histocli.errors import ExhaustedError, UnreadableTileError

if TYPE_CHECKING:
    from histocli.data.tiles import TileSource

# How a process ends that a decoder takes down. Other signals come from outside, SIGKILL for want of memory.
CRASHES = frozenset(
    getattr(signal, name)
    for name in ("SIGSEGV", "SIGBUS", "SIGILL", "SIGFPE", "SIGABRT")
    if hasattr(signal, name)
)
CONTEXT = multiprocessing.get_context("spawn")
# How often a tile is asked for whose process is ended from outside.
ATTEMPTS = 2
# What a source gives of a tile.
PIXELS, STORED = "read", "read_bytes"


def has_crashed(exit_code: int | None) -> bool:
    """Whether a process ended as one does that a decoder takes down."""
    return exit_code is not None and -exit_code in CRASHES


class _Reader:
    """A process that reads tiles of one source, replaced when it crashes; for one thread at a time."""

    def __init__(self, source: "TileSource") -> None:
        self.source = source
        self._begin()

    def ask(self, what: str, index: int) -> Any:
        """Pixels of one tile, or its bytes.

        A process that was ended from outside, for want of memory perhaps, is no fault of the tile: it is
        asked for once more.

        Raises:
            UnreadableTileError: Also if the process crashed.
            ExhaustedError: If it was ended so twice.
        """
        for _ in range(ATTEMPTS):
            try:
                self._pipe.send((what, index))
                answer = self._pipe.recv()
            except (EOFError, OSError):
                code = self._replace()
                if code >= 0 or has_crashed(code):
                    ended = signal.Signals(-code).name if code < 0 else f"exit code {code}"
                    name = self.source.tiles[index].id
                    raise UnreadableTileError(name, f"its decoder crashed ({ended})") from None
                continue
            if isinstance(answer, Exception):
                raise answer
            return answer
        raise ExhaustedError(
            f"a process that decodes was ended {ATTEMPTS} times from outside; if memory ran out, run again "
            "to continue with fewer --workers"
        )

    def _replace(self) -> int:
        """Begin another process; how this one ended."""
        self._process.join()
        code = self._process.exitcode or 0
        self._pipe.close()
        self._begin()
        return code

    def _begin(self) -> None:
        self._pipe, theirs = CONTEXT.Pipe()
        # Ends with this process, whatever becomes of it: then the pipe ends.
        self._process = CONTEXT.Process(target=_serve, args=(theirs, self.source), daemon=True)
        self._process.start()
        theirs.close()


def _serve(pipe: Connection, source: "TileSource") -> None:
    """Body of a reader."""
    # What stops a command is its main process's to answer.
    for name in ("SIGINT", "SIGUSR1"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    while True:
        try:
            what, index = pipe.recv()
        except (EOFError, OSError):
            return
        answer: object
        try:
            answer = source.read(index) if what == PIXELS else source.read_bytes(index)
        except (UnreadableTileError, ExhaustedError) as error:
            answer = error
        pipe.send(answer)


class Isolation:
    """Whether this process has tiles read by others, and those others: as many as its threads ask at once.

    They stay from one pass over the tiles to the next: to begin one takes seconds.
    """

    def __init__(self) -> None:
        self._is_on = False
        # Those that no thread asks just now, by the identity of their source, which they hold.
        self._idle: dict[int, list[_Reader]] = {}

    @contextmanager
    def switched(self, on: bool) -> Iterator[None]:
        """For as long as the context lasts."""
        before, self._is_on = self._is_on, on
        try:
            yield
        finally:
            self._is_on = before
            if not before:
                self._idle.clear()

    def read(self, source: "TileSource", index: int) -> NDArray[np.uint8]:
        """Decode one tile, here or apart.

        Raises:
            UnreadableTileError: Naming the file and the reason.
        """
        if not self._is_on:
            return source.read(index)
        pixels: NDArray[np.uint8] = self._ask(source, PIXELS, index)
        return pixels

    def read_bytes(self, source: "TileSource", index: int) -> bytes:
        """Content of one tile as stored, likewise: of HDF5 and parquet it is unpacked, too.

        Raises:
            UnreadableTileError: Naming the file and the reason.
        """
        if not self._is_on:
            return source.read_bytes(index)
        content: bytes = self._ask(source, STORED, index)
        return content

    def _ask(self, source: "TileSource", what: str, index: int) -> Any:
        # A list's pop and append need no lock.
        idle = self._idle.setdefault(id(source), [])
        try:
            reader = idle.pop()
        except IndexError:
            reader = _Reader(source)
        try:
            answer = reader.ask(what, index)
        except UnreadableTileError:
            idle.append(reader)
            raise
        # After any other exception an answer may still come, to nobody's question: that reader is left.
        idle.append(reader)
        return answer


# The one of this process: a decoder that crashes takes down all that is in it.
ISOLATION = Isolation()
