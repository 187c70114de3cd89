"""Space and rate of the disk that the work lies on."""

import os
import shutil
import tempfile
import time
from pathlib import Path

from histocli.doctor.finding import Finding, note, ok, problem

WRITTEN_BYTES = 16 * 2**20
# A training keeps two copies of a network and of its optimizer's state; a normalized data set is as
# large as its source as PNG.
LITTLE_BYTES, TOO_LITTLE_BYTES = 10 * 2**30, 2**30
SLOW_BYTES_PER_SECOND = 20e6


def check_disk(folder: Path) -> list[Finding]:
    """Free space, and the rate at which a file reaches the disk."""
    nearest = next(each for each in (folder.resolve(), *folder.resolve().parents) if each.exists())
    return [space(shutil.disk_usage(nearest).free), rate(write_rate(nearest))]


def space(free_bytes: int) -> Finding:
    """Whether the free space is enough for a run."""
    said = f"{free_bytes / 2**30:.1f} GiB free"
    if free_bytes < TOO_LITTLE_BYTES:
        return problem("space", said, "free some, or pass --output on another disk")
    if free_bytes < LITTLE_BYTES:
        return note("space", f"{said}: little", "normalized data sets need as much as their source")
    return ok("space", said)


def rate(bytes_per_second: float) -> Finding:
    """Whether the disk keeps up with a core."""
    said = f"{bytes_per_second / 1e6:,.0f} MB/s to the disk"
    if bytes_per_second < SLOW_BYTES_PER_SECOND:
        slow = "pack the tiles (`histo normalize --to npz`), or work on a local disk"
        return note("rate", f"{said}: slow", slow)
    return ok("rate", said)


def write_rate(folder: Path) -> float:
    """Bytes a second that reach the disk; incompressible, so that no file system cheats."""
    content = os.urandom(WRITTEN_BYTES)
    with tempfile.NamedTemporaryFile(dir=folder, prefix=".histo-doctor-") as file:
        started = time.perf_counter()
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
        return WRITTEN_BYTES / (time.perf_counter() - started)
