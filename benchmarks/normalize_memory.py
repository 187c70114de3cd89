"""Memory and time of `histo normalize` against the number of tiles.

    python benchmarks/normalize_memory.py [--tiles 1000 10000 100000 1000000] [--to npz]

Tiles are phantoms of 32 px, repeated in HDF5 files as PatchCamelyon has them, so that a million fit a
disk: what grows with their number, tables and journals, does not depend on their size. Each run is a
process of its own; the memory is the highest that the operating system saw. Writes
benchmarks/results/normalize_memory.json.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from histocli.atomic_files import write_json
from histocli.data.phantom import PHANTOM_SCANNERS, PhantomKind, phantom_tile

RESULTS = Path(__file__).parent / "results" / "normalize_memory.json"
SIDE_PX = 32
PHANTOMS = 500


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description="Memory of histo normalize")
    parser.add_argument("--tiles", type=int, nargs="+", default=[1_000, 10_000, 100_000, 1_000_000])
    parser.add_argument("--to", default="npz")
    arguments = parser.parse_args()
    phantoms = make_phantoms()
    rows = [measure(phantoms, count, arguments.to) for count in arguments.tiles]
    result = {
        "date": datetime.now(UTC).date().isoformat(),
        "cores": len(os.sched_getaffinity(0)),
        "tile_px": SIDE_PX,
        "to": arguments.to,
        "runs": rows,
    }
    write_json(RESULTS, result)
    table = Table(title=f"histo normalize --to {arguments.to}, tiles of {SIDE_PX} px")
    for column in ("tiles", "seconds", "microseconds a tile", "highest memory, MiB"):
        table.add_column(column, justify="right")
    for row in rows:
        each = 1e6 * row["seconds"] / row["tiles"]
        table.add_row(
            f"{row['tiles']:,}", f"{row['seconds']:.1f}", f"{each:.0f}", f"{row['memory_mib']:.0f}"
        )
    Console().print(table)


def make_phantoms() -> NDArray[np.uint8]:
    """Corners of phantoms, shape ``(PHANTOMS, SIDE_PX, SIDE_PX, 3)``."""
    kinds: tuple[PhantomKind, PhantomKind] = ("normal", "tumor")
    tiles = [
        phantom_tile(kinds[i % 2], PHANTOM_SCANNERS["alpha"], np.random.default_rng(i)).pixels
        for i in range(PHANTOMS)
    ]
    return np.stack(tiles)[:, :SIDE_PX, :SIDE_PX]


def measure(phantoms: NDArray[np.uint8], count: int, to: str) -> dict[str, Any]:
    """One run of the command."""
    with tempfile.TemporaryDirectory() as folder:
        source = write_source(Path(folder), phantoms, count)
        command = [sys.executable, "-m", "histocli", "normalize", str(source), "--quiet"]
        start = time.perf_counter()
        process = subprocess.Popen(
            [*command, "--output", str(Path(folder) / "out"), "--to", to], stdout=subprocess.DEVNULL
        )
        _, code, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
    if code:
        raise SystemExit(f"histo normalize failed with {os.waitstatus_to_exitcode(code)}")
    # Kibibytes on Linux, bytes on macOS.
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return {"tiles": count, "seconds": seconds, "memory_mib": usage.ru_maxrss / unit}


def write_source(folder: Path, phantoms: NDArray[np.uint8], count: int) -> Path:
    """``train_x.h5`` and ``train_y.h5`` of so many tiles."""
    path = folder / "train_x.h5"
    with h5py.File(path, "w") as file:
        shape = (count, *phantoms.shape[1:])
        tiles = file.create_dataset("x", shape, np.uint8, chunks=(min(256, count), *shape[1:]))
        for first in range(0, count, len(phantoms)):
            part = phantoms[: count - first]
            tiles[first : first + len(part)] = part
    with h5py.File(folder / "train_y.h5", "w") as file:
        file["y"] = (np.arange(count) % 2).astype(np.uint8).reshape(-1, 1, 1, 1)
    return path


if __name__ == "__main__":
    main()
