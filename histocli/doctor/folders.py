"""Whether histo may write where it has to."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from histocli.doctor.finding import Finding, ok, problem


def check_folders(folder: Path) -> list[Finding]:
    """Write a small file into each folder that histo writes to."""
    return [writable(subject, path, advice) for subject, path, advice in _needed(folder)]


def writable(subject: str, path: Path, advice: str) -> Finding:
    """Whether a file can be made in a folder, or in the nearest one above it that exists."""
    nearest = next(each for each in (path, *path.parents) if each.exists())
    try:
        with tempfile.NamedTemporaryFile(dir=nearest, prefix=".histo-doctor-"):
            return ok(subject, f"{path} can be written")
    except OSError as error:
        return problem(subject, f"{path} cannot be written ({error.strerror})", advice)


def _needed(folder: Path) -> Iterator[tuple[str, Path, str]]:
    from huggingface_hub.constants import HF_HUB_CACHE

    yield "work", folder.resolve(), "work in a folder of your own, or pass --output and --runs"
    yield "temporary", Path(tempfile.gettempdir()), "set TMPDIR to a folder of your own"
    yield "weight cache", Path(HF_HUB_CACHE), "set HF_HOME to a folder of your own"
    kernels = os.environ.get("NUMBA_CACHE_DIR")
    if kernels:
        yield "kernel cache", Path(kernels), "set NUMBA_CACHE_DIR to a folder of your own"
