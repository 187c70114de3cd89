"""Time and memory of the whole pipeline against the number of tiles: normalize, qc, predict, evaluate.

    python benchmarks/load.py [--tiles 1000 10000 100000] [--predictions 10000000] [--table]

Tiles are random corners of phantoms, 32 px, in HDF5 files as PatchCamelyon has them, made on the fly, so
that a million fit a disk. The network is timm's smallest: what grows with the number of tiles are tables,
journals and statistics, not the network. Each command is a process of its own; memory is the highest that
the operating system saw. With --predictions, so many are also read from a table and evaluated, with 100
replicates of the bootstrap clustered by 1,000 slides. Writes load.json and load.png to benchmarks/results,
or to --output, after each number.
"""

import argparse
import json
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
from speed.machine import machine

from histocli.atomic_files import write_json
from histocli.data.phantom import PHANTOM_SCANNERS, PhantomKind, phantom_tile
from histocli.metrics.evaluate import evaluate
from histocli.predictions import Predictions
from histocli.report.style import class_line, written_figure

RESULTS = Path(__file__).parent / "results"
SIDE_PX = 32
PHANTOMS = 400
CLASSES = ("benign", "tumor")
STAGES = ("normalize", "qc", "predict", "evaluate")
NETWORK = ("--arch", "test_efficientnet", "--weights", "none", "--input-size-px", str(SIDE_PX))


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description="Load of the whole pipeline")
    parser.add_argument("--tiles", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--samples", type=int, default=1000, help="replicates of the bootstrap")
    parser.add_argument("--predictions", type=int, help="evaluate a table of so many as well")
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder of load.json")
    parser.add_argument("--table", action="store_true", help="print the kept table only")
    parser.add_argument("--evaluate-table", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    kept = arguments.output / "load.json"
    if arguments.evaluate_table:
        evaluate_table(arguments.evaluate_table)
        return
    if not arguments.table:
        result: dict[str, Any] = {
            "date": datetime.now(UTC).date().isoformat(),
            **machine("cpu"),
            "tile_px": SIDE_PX,
            "bootstrap_samples": arguments.samples,
            "rows": [],
        }
        phantoms = make_phantoms()
        with tempfile.TemporaryDirectory() as folder:
            run = train(phantoms, Path(folder))
            for count in arguments.tiles:
                result["rows"].append(measure(phantoms, count, run, arguments.samples))
                write_json(kept, result)
                draw(result["rows"], kept.with_suffix(".png"))
        if arguments.predictions:
            result["predictions"] = measure_predictions(arguments.predictions)
            write_json(kept, result)
    print(table(json.loads(kept.read_text())["rows"]))


def table(rows: list[dict[str, Any]]) -> str:
    """Microseconds a tile and memory of each stage, as Markdown."""
    header = ["tiles", *(f"{stage}, µs a tile" for stage in STAGES)]
    header += [f"{stage}, MiB" for stage in STAGES]
    lines = ["| " + " | ".join(header) + " |", "|---" * len(header) + "|"]
    for row in rows:
        times = [f"{1e6 * row[stage]['seconds'] / row['tiles']:,.0f}" for stage in STAGES]
        memory = [f"{row[stage]['memory_mib']:,.0f}" for stage in STAGES]
        lines.append("| " + " | ".join([f"{row['tiles']:,}", *times, *memory]) + " |")
    return "\n".join(lines)


def make_phantoms() -> NDArray[np.uint8]:
    """Phantoms, shape ``(PHANTOMS, side, side, 3)``."""
    kinds: tuple[PhantomKind, PhantomKind] = ("normal", "tumor")
    tiles = [
        phantom_tile(kinds[i % 2], PHANTOM_SCANNERS["alpha"], np.random.default_rng(i)).pixels
        for i in range(PHANTOMS)
    ]
    return np.stack(tiles)


def train(phantoms: NDArray[np.uint8], folder: Path) -> Path:
    """A run to predict with."""
    for number, (split, count) in enumerate({"train": 600, "valid": 200, "test": 200}.items()):
        write_source(folder / "data", split, phantoms, count, seed=number)
    options = [*NETWORK, "--epochs", "1", "--runs", str(folder), "--name", "run", "--offline"]
    histo("train", str(folder / "data"), *options, "--test-time-augmentation", "none")
    return folder / "run"


def measure(phantoms: NDArray[np.uint8], count: int, run: Path, samples: int) -> dict[str, Any]:
    """Each stage on so many tiles."""
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        write_source(data, "test", phantoms, count, seed=9)
        options = ["--split", "test", "--bootstrap-samples", str(samples)]
        commands = {
            "normalize": [str(data), "--output", f"{folder}/normalized", "--to", "h5"],
            "qc": [str(data), "--output", f"{folder}/qc"],
            "predict": [str(run), str(data), "--output", f"{folder}/predictions.csv"],
            "evaluate": [str(run), "--data", str(data), *options],
        }
        row: dict[str, Any] = {"tiles": count}
        for stage in STAGES:
            row[stage] = histo(stage, *commands[stage])
            print(f"{count:,} tiles, {stage}: {row[stage]}", flush=True)
    return row


def measure_predictions(count: int) -> dict[str, float]:
    """Reading and evaluating a table of so many predictions, of 1,000 slides."""
    random = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "predictions.csv"
        with path.open("w") as file:
            file.write("tile,group,label,predicted,probability_benign,probability_tumor\n")
            for first in range(0, count, 100_000):
                numbers = np.arange(first, min(count, first + 100_000))
                truth = random.random(len(numbers)) < 0.5
                logit = random.normal(np.where(truth, 1.0, -1.0), 1.5)
                tumor = (1 / (1 + np.exp(-logit))).tolist()
                for number, true, p in zip(numbers, truth.tolist(), tumor, strict=True):
                    slide = f"slide_{number % 1000:03d}"
                    names = f"{slide}/{number:08d}.png,{slide},{CLASSES[true]},{CLASSES[p >= 0.5]}"
                    file.write(f"{names},{1 - p!r},{p!r}\n")
        script = [sys.executable, __file__, "--evaluate-table", str(path)]
        return {"predictions": count, **measured(script)}


def evaluate_table(path: Path) -> None:
    """Read and evaluate; a process of its own, so that its memory can be seen."""
    metrics = evaluate(
        Predictions.read(path),
        split="test",
        positive_class=CLASSES[1],
        threshold=0.5,
        bootstrap_samples=100,
    )
    print(f"AUROC {metrics['metrics']['auroc']['value']:.4f}", flush=True)


def histo(*arguments: str) -> dict[str, float]:
    """Seconds and highest memory of one command."""
    return measured([sys.executable, "-m", "histocli", *arguments, "--quiet"])


def measured(command: list[str]) -> dict[str, float]:
    """Seconds and highest memory of a process."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, code, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    if code:
        raise SystemExit(f"{' '.join(command)} failed with {os.waitstatus_to_exitcode(code)}")
    # Kibibytes on Linux, bytes on macOS.
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return {"seconds": seconds, "memory_mib": usage.ru_maxrss / unit}


def write_source(
    folder: Path, split: str, phantoms: NDArray[np.uint8], count: int, seed: int
) -> None:
    """``SPLIT_x.h5`` and ``SPLIT_y.h5`` of so many random corners."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(seed)
    room = phantoms.shape[1] - SIDE_PX + 1
    windows = np.lib.stride_tricks.sliding_window_view(phantoms, (SIDE_PX, SIDE_PX), (1, 2))
    which = random.integers(0, len(phantoms), count)
    with h5py.File(folder / f"{split}_x.h5", "w") as file:
        shape = (count, SIDE_PX, SIDE_PX, 3)
        tiles = file.create_dataset("x", shape, np.uint8, chunks=(min(256, count), *shape[1:]))
        for first in range(0, count, 4096):
            part = which[first : first + 4096]
            corners = random.integers(0, room, (2, len(part)))
            tiles[first : first + len(part)] = windows[part, *corners].transpose(0, 2, 3, 1)
    with h5py.File(folder / f"{split}_y.h5", "w") as file:
        file["y"] = (which % 2).astype(np.uint8).reshape(-1, 1, 1, 1)


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """Time a tile and memory against the number of tiles."""
    tiles = [row["tiles"] for row in rows]
    drawn = (
        (
            "µs a tile",
            [[1e6 * row[stage]["seconds"] / row["tiles"] for row in rows] for stage in STAGES],
        ),
        ("highest memory, MiB", [[row[stage]["memory_mib"] for row in rows] for stage in STAGES]),
    )
    with written_figure(path, 8, 3.4) as figure:
        for axes, (name, lines) in zip(figure.subplots(1, 2), drawn, strict=True):
            for position, (stage, values) in enumerate(zip(STAGES, lines, strict=True)):
                axes.plot(tiles, values, marker="o", label=stage, **class_line(position))
            axes.set(xscale="log", xlabel="tiles", ylabel=name)
            axes.set_xticks(tiles, [f"{count:,}" for count in tiles])
            axes.minorticks_off()
        per_tile, memory = figure.axes
        per_tile.set_yscale("log")
        per_tile.yaxis.set_major_formatter("{x:,.0f}")
        memory.set_ylim(bottom=0)
        per_tile.legend()


if __name__ == "__main__":
    main()
