"""What the machine refuses, in one line that says what to do."""

import errno
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
import typer
from typer.testing import CliRunner

from histocli.cli.app import app
from histocli.cli.console import Terminal
from histocli.cli.failures import with_errors
from histocli.data.layouts import open_source
from histocli.data.loading import SkippedTile, load_batches
from histocli.data.phantom import write_phantom
from histocli.errors import ExhaustedError, InputError


def wrapped() -> Exception:
    """An error of ours about one of the system."""
    found = InputError("labels.csv: cannot be read")
    found.__cause__ = OSError(errno.EMFILE, os.strerror(errno.EMFILE), "labels.csv")
    return found


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (
            OSError(errno.EMFILE, "Too many open files", "a"),
            1,
            "too many open files: raise the limit",
        ),
        (RuntimeError("unable to open file <a>: Too many open files (24)"), 1, "raise the limit"),
        (wrapped(), 1, "too many open files: raise the limit"),
        (OSError(errno.ENOSPC, "No space left on device"), 1, "the disk is full; free some space"),
        (RuntimeError("I/O error: No space left on device (os error 28)"), 1, "the disk is full"),
        (MemoryError(), 1, "out of memory: run again to continue, with a smaller --batch-size"),
        (torch.OutOfMemoryError("CUDA out of memory"), 1, "error: out of memory: run again"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), 1, "error: out of memory"),
        (RuntimeError("can't start new thread"), 1, "error: out of memory: run again"),
        (RuntimeError("could not create a primitive"), 1, "error: out of memory: run again"),
        (ImportError("a.so: failed to map segment from shared object"), 1, "error: out of memory"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), 1, "error: out of memory: run again"),
        (PermissionError(errno.EACCES, "Permission denied", "out"), 2, "out: Permission denied"),
        (
            FileNotFoundError(errno.ENOENT, "No such file or directory", "/no/.a.html.tmp-12"),
            2,
            "error: /no/a.html: No such file or directory; name another path",
        ),
        (
            OSError(errno.ENAMETOOLONG, "File name too long", "aa"),
            2,
            "aa: File name too long; name",
        ),
        (InputError("data: no tiles"), 3, "error: data: no tiles\n"),
        (KeyError("x"), 1, "unexpected KeyError: 'x'; --verbose shows where"),
    ],
)
def test_each_refusal_has_its_words_and_its_code(
    capsys: pytest.CaptureFixture[str], error: Exception, code: int, said: str
) -> None:
    def fails() -> None:
        raise error

    with pytest.raises(typer.Exit) as ended:
        with_errors(Terminal(), fails)
    assert ended.value.exit_code == code
    printed = capsys.readouterr().err
    assert said in printed
    assert printed.count("\n") == 1


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("normalize data", "interrupted; run the same command again to continue"),
        ("data fetch pcam", "interrupted; run the same command again to continue"),
        ("report", "interrupted; run the same command again"),
        ("demo data", "interrupted; run the same command again"),
    ],
)
def test_only_who_continues_promises_it(
    typed: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("histocli.cli.options._call", interrupt)
    result = CliRunner().invoke(app, typed.split())
    assert result.exit_code == 130
    assert result.stderr == f"error: {said}\n"


@contextmanager
def handles(more: int) -> Iterator[None]:
    """Let this process open only so many files more."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(int(path.name) for path in Path("/proc/self/fd").iterdir())
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + more, before[1]))
    taken = []
    try:
        # Free numbers between those in use would be given out first.
        while True:
            try:
                taken.append(os.dup(0))
            except OSError:
                break
        for descriptor in taken[:more]:
            os.close(descriptor)
        yield
    finally:
        for descriptor in taken[more:]:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="no /proc here")
def test_no_tile_is_called_unreadable_where_files_cannot_be_opened(tmp_path: Path) -> None:
    write_phantom(tmp_path, tiles=60, seed=0)
    source = open_source(tmp_path)
    skipped: list[SkippedTile] = []
    chosen = range(20)
    whole = sum(len(batch.indices) for batch in load_batches(source, chosen, 4, skipped, workers=2))
    assert whole + len(skipped) == 20
    with handles(0), pytest.raises(ExhaustedError, match="ulimit -n"):
        list(load_batches(source, chosen, 4, skipped, workers=2))
    assert len(skipped) == 20 - whole
