"""How a command fails: in one line that says what to do, and with an exit code."""

import errno
import os
import signal
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import typer

from histocli.atomic_files import DISK_FULL, final_name, is_full
from histocli.cli.console import Terminal
from histocli.errors import ExhaustedError, HistoError, SettingsError, StoppedError

UNEXPECTED = "unexpected"
INTERRUPTED = 130
# What the system answers where a path cannot be used as the user wants: a file where a folder should be, a
# folder of somebody else.
UNUSABLE = {
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.EEXIST,
    # A folder that cannot be made, a name that no disk takes.
    errno.ENOENT,
    errno.ENAMETOOLONG,
    errno.ELOOP,
}


def with_errors(terminal: Terminal, function: Callable[..., None], *arguments: Any) -> None:
    """Call a function; an error becomes one line and an exit code.

    Raises:
        Exit: With the error's code.
    """
    try:
        with _signals_as_errors(terminal.again):
            function(*arguments)
    except KeyboardInterrupt:
        terminal.error(f"interrupted; {terminal.again}", INTERRUPTED)
        raise typer.Exit(INTERRUPTED) from None
    except (typer.Exit, typer.Abort):
        raise
    except Exception as error:  # noqa: BLE001 - the last line of defence
        if terminal.verbose:
            terminal.err.print(traceback.format_exc(), markup=False)
        message, code = _in_words(error)
        where = message.startswith(UNEXPECTED) and not terminal.verbose
        terminal.error(f"{message}; --verbose shows where" if where else message, code)
        raise typer.Exit(code) from None


def _in_words(error: Exception) -> tuple[str, int]:
    """What was wrong, what the machine refused, or else a defect of ours; and the exit code."""
    try:
        ExhaustedError.check(error)
    except ExhaustedError as exhausted:
        return str(exhausted), exhausted.exit_code
    if isinstance(error, HistoError):
        return str(error), error.exit_code
    if isinstance(error, OSError) and error.errno in UNUSABLE and error.filename:
        path = final_name(Path(os.fsdecode(error.filename2 or error.filename)))
        return f"{path}: {error.strerror}; name another path", SettingsError.exit_code
    if is_full(error):
        return f"{DISK_FULL} ({error})", HistoError.exit_code
    return f"{UNEXPECTED} {type(error).__name__}: {error}", HistoError.exit_code


@contextmanager
def _signals_as_errors(again: str) -> Iterator[None]:
    """Turn a scheduler's SIGTERM and SIGUSR1 into an error: what is done is on disk already."""

    def stop(number: int, frame: FrameType | None) -> None:
        del frame
        name = signal.Signals(number).name
        raise StoppedError(f"stopped by {name}; {again}")

    names = [name for name in ("SIGTERM", "SIGUSR1") if hasattr(signal, name)]
    if threading.current_thread() is not threading.main_thread():
        names = []
    before = {name: signal.signal(getattr(signal, name), stop) for name in names}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(getattr(signal, name), handler)
