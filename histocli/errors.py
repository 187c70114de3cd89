"""Errors that a user can act on: each message names the thing and says what to do."""

import errno
from pathlib import Path
from typing import Self

# What torch, C++, Python and the loader of shared libraries say for want of memory.
OF_MEMORY = (
    *("can't allocate memory", "std::bad_alloc", "can't start new thread"),
    *("failed to map segment from shared object", "Cannot allocate memory"),
    # oneDNN, and Python where an import finds no memory.
    *("could not create a primitive", "returned NULL without setting an exception"),
    "error return without exception set",
)


class HistoError(Exception):
    """Base of every expected error; ``exit_code`` is what the command line returns."""

    exit_code = 1


class SettingsError(HistoError):
    """A wrong option, setting or combination of them."""

    exit_code = 2


class BusyOutputError(SettingsError):
    """Another process is writing the same part of an output; it may end, or be found dead."""


class InputError(HistoError):
    """No usable input: a folder without tiles, a broken run, an unreadable table."""

    exit_code = 3


class SkippedInputsError(HistoError):
    """Some inputs had to be skipped and ``--strict`` was given."""

    exit_code = 4


class ExhaustedError(HistoError):
    """The machine gives no more files or memory: no fault of the file that was being read."""

    @classmethod
    def check(cls, error: BaseException) -> None:
        """Raise if it was this that an error of a library, of the system or of ours tells of.

        Raises:
            ExhaustedError: Saying what to do.
        """
        number = error.errno if isinstance(error, OSError) else None
        # Libraries put the system's words into messages of their own.
        if number in (errno.EMFILE, errno.ENFILE) or "Too many open files" in str(error):
            raise cls(
                "too many open files: raise the limit (`ulimit -n 4096`), or give fewer --workers, and run "
                "again to continue"
            ) from error
        if number == errno.ENOMEM or _is_of_memory(error):
            raise cls(
                "out of memory: run again to continue, with a smaller --batch-size, with fewer --workers "
                "or where there is more"
            ) from error
        if error.__cause__ is not None:
            cls.check(error.__cause__)


def is_of_a_device(error: BaseException) -> bool:
    """Whether a device had no memory left; torch's error and CuPy's have the same name."""
    return type(error).__name__ == "OutOfMemoryError"


def _is_of_memory(error: BaseException) -> bool:
    """Python's own error, and those that libraries raise in its place."""
    if isinstance(error, MemoryError) or is_of_a_device(error):
        return True
    kinds = (RuntimeError, OSError, ImportError, SystemError)
    return isinstance(error, kinds) and any(words in str(error) for words in OF_MEMORY)


class StoppedError(HistoError):
    """Stopped by SIGTERM or SIGUSR1 in a state that can be resumed."""

    exit_code = 75


class InterruptedRunError(HistoError):
    """Interrupted by the user, in a state that can be resumed."""

    exit_code = 130


class UnreadableTileError(HistoError):
    """One tile cannot be read; the run goes on without it and lists it."""

    def __init__(self, path: Path | str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = str(path)
        self.reason = reason

    def __reduce__(self) -> tuple[type[Self], tuple[str, str]]:
        """Errors travel between processes."""
        return type(self), (self.path, self.reason)
