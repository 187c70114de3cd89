"""`histo normalize` on a folder of tiles against the plain loop that people write.

    python benchmarks/normalize_end_to_end.py DATA [--tiles 20000]

The plain loop opens a tile with Pillow, normalizes it with torchstain's faster backend and saves a PNG
with Pillow's defaults; a tile that torchstain cannot do is saved as it is. It is timed on some of the tiles
before and after `histo normalize`, whose time is that of the whole command, the start of Python included.
Beside it stands the time of all its processor cores, which others on the machine disturb less.
DATA's JPEG and PNG tiles are repeated under new names until there are enough. The table of where the time
goes is of one thread. Writes benchmarks/results/normalize_end_to_end.json.
"""

import argparse
import importlib
import io
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console
from rich.table import Table

from histocli.atomic_files import write_json
from histocli.data.images import decode_image
from histocli.data.png import encode_png
from histocli.data.stores import STORES
from histocli.data.tiles import SPLIT_ALIASES
from histocli.data.writing import write_tile
from histocli.stain import MacenkoNormalizer

RESULTS = Path(__file__).parent / "results" / "normalize_end_to_end.json"
SUFFIXES = (".jpg", ".jpeg", ".png")
PLAIN_TILES = 500
SAMPLE = 1000


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description="histo normalize against the plain loop")
    parser.add_argument("data", type=Path)
    parser.add_argument("--tiles", type=int, default=20_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        source = repeat_tiles(arguments.data, Path(folder) / "tiles", arguments.tiles)
        paths = sorted(source.rglob("*.*"))
        plain = [plain_loop(paths, Path(folder) / "plain")]
        ours = {to: run_histo(source, Path(folder) / to, to) for to in STORES}
        plain.append(plain_loop(paths, Path(folder) / "plain"))
        parts = parts_of_the_time(paths[:SAMPLE], Path(folder) / "parts")
    rate = max(plain)
    result = {
        "date": datetime.now(UTC).date().isoformat(),
        "processor": platform.processor() or platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "tiles": arguments.tiles,
        "plain_loop_tiles_per_second": rate,
        "histo": [
            {"to": to, **measured, "times_plain": measured["tiles_per_second"] / rate}
            for to, measured in ours.items()
        ],
        "microseconds_per_tile_one_thread": parts,
    }
    write_json(RESULTS, result)
    show(result)


def repeat_tiles(data: Path, folder: Path, count: int) -> Path:
    """Copies of real tiles, one folder a class."""
    found = [
        path
        for path in sorted(data.rglob("*"))
        if path.suffix.lower() in SUFFIXES and path.parent.name not in SPLIT_ALIASES
    ]
    if not found:
        raise SystemExit(f"{data}: no JPEG or PNG tiles")
    for number in range(count):
        path = found[number % len(found)]
        target = folder / path.parent.name / f"{number:06d}{path.suffix}"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    return folder


def plain_loop(paths: Sequence[Path], folder: Path) -> float:
    """Tiles a second of Pillow, torchstain, Pillow, one after the other."""
    torch, torchstain = (importlib.import_module(name) for name in ("torch", "torchstain"))
    torch.set_num_threads(1)
    normalizer = torchstain.normalizers.MacenkoNormalizer(backend="torch")
    folder.mkdir(exist_ok=True)
    start = time.perf_counter()
    for path in paths[:PLAIN_TILES]:
        pixels = np.array(Image.open(path).convert("RGB"))
        try:
            tile = torch.from_numpy(pixels).permute(2, 0, 1)
            normalized, _, _ = normalizer.normalize(I=tile, stains=False)
            pixels = normalized.numpy().astype(np.uint8)
        except (RuntimeError, IndexError, ValueError):
            pass
        Image.fromarray(pixels).save(folder / f"{path.stem}.png")
    return min(PLAIN_TILES, len(paths)) / (time.perf_counter() - start)


def run_histo(source: Path, output: Path, to: str) -> dict[str, float]:
    """The whole command, in a process of its own."""
    command = [sys.executable, "-m", "histocli", "normalize", str(source), "--quiet"]
    count = sum(1 for _ in source.rglob("*.*"))
    start = time.perf_counter()
    process = subprocess.Popen(
        [*command, "--output", str(output), "--to", to], stdout=subprocess.DEVNULL
    )
    _, code, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    if code:
        raise SystemExit(f"histo normalize failed with {os.waitstatus_to_exitcode(code)}")
    return {
        "seconds": seconds,
        "processor_seconds": usage.ru_utime + usage.ru_stime,
        "tiles_per_second": count / seconds,
    }


def parts_of_the_time(paths: Sequence[Path], folder: Path) -> dict[str, float]:
    """Microseconds a tile of each step."""
    folder.mkdir()
    contents = [path.read_bytes() for path in paths]
    tiles = np.stack([decode_image(c, p) for c, p in zip(contents, paths, strict=True)])
    normalizer = MacenkoNormalizer(backend="cpu")
    batch = np.ascontiguousarray(tiles.transpose(0, 3, 1, 2))
    normalizer.normalize(batch[:8])
    os.environ["OMP_NUM_THREADS"] = "1"
    steps: dict[str, Callable[[], Any]] = {
        "read": lambda: [path.read_bytes() for path in paths],
        "decode": lambda: [decode_image(c, p) for c, p in zip(contents, paths, strict=True)],
        "stain": lambda: normalizer.normalize(batch),
        "encode": lambda: [encode_png(tile) for tile in tiles],
        "encode by Pillow, level 1": lambda: [encode_with_pillow(tile) for tile in tiles],
        "encode and write": lambda: write_tiles(Path(tempfile.mkdtemp(dir=folder)), tiles),
    }
    found = {}
    for name, step in steps.items():
        step()
        times = []
        for _ in range(3):
            start = time.perf_counter()
            step()
            times.append(time.perf_counter() - start)
        found[name] = 1e6 * min(times) / len(paths)
    return found


def write_tiles(folder: Path, tiles: NDArray[np.uint8]) -> None:
    """As `histo normalize` does, to files that are not there yet: replacing some takes longer."""
    for number, tile in enumerate(tiles):
        write_tile(folder / f"{number}.png", tile)


def encode_with_pillow(pixels: NDArray[np.uint8]) -> bytes:
    """PNG at Pillow's fastest level that compresses."""
    with io.BytesIO() as buffer:
        Image.fromarray(pixels).save(buffer, "PNG", compress_level=1)
        return buffer.getvalue()


def show(result: dict[str, Any]) -> None:
    """Print two tables."""
    console = Console()
    table = Table(title=f"{result['tiles']} tiles, {result['cores']} cores")
    for column in ("", "tiles/s", "x plain loop", "processor seconds"):
        table.add_column(column, justify="right" if column else "left")
    plain = result["plain_loop_tiles_per_second"]
    # The loop waits for nothing, and is one thread.
    table.add_row("plain loop", f"{plain:.0f}", "1.0", f"{result['tiles'] / plain:.1f}")
    for row in result["histo"]:
        name = f"histo normalize --to {row['to']}"
        rates = (f"{row['tiles_per_second']:.0f}", f"{row['times_plain']:.1f}")
        table.add_row(name, *rates, f"{row['processor_seconds']:.1f}")
    console.print(table)
    parts = Table(title="one thread")
    for column in ("step", "microseconds a tile"):
        parts.add_column(column)
    for name, microseconds in result["microseconds_per_tile_one_thread"].items():
        parts.add_row(name, f"{microseconds:.0f}")
    console.print(parts)


if __name__ == "__main__":
    main()
