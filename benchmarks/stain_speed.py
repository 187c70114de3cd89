"""Tiles a second of each body of MacenkoNormalizer and of the packages that do the same.

    python benchmarks/stain_speed.py DATA                  # a folder of real tiles; phantoms without
    python benchmarks/stain_speed.py DATA --device cuda
    python benchmarks/stain_speed.py --table               # the README's table, from the results

The peers are no dependencies. `pip install --no-deps stainx==0.1.6 torch-staintools==1.0.7` leaves every
installed version as it is; with `--target FOLDER` and `PYTHONPATH=FOLDER` not even the environment changes.
A peer that is not installed is reported as such. cucim, and stainx's CUDA extension, need a GPU.

How it is measured. All work on the same tiles in the same process, to the published reference. What a
package wants to be given (layout, device, floats) is made before the clock starts, and its output is left
as it is; torchstain is spared the separate stain images. A peer runs at its best setting: each number of
threads, several batch sizes, compiled or not are tried first. Compilation is over before the clock starts.
The rounds go through all contestants in turn, so that noise of the machine hits all alike. Where the folder
has too few tiles of a size, mosaics of smaller ones stand in, cropped; the results say which. Timed are
tiles with at least 5 % tissue, so that nobody gains or loses by failing; failures are counted on all tiles,
one at a time and in the batches of the best setting. Writes benchmarks/results/stain_speed.json (on a GPU
stain_speed_cuda.json) and a plot of the same name in docs/figures.
"""

import argparse
import importlib
import importlib.metadata
import importlib.util
import json
import logging
import warnings
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from speed.machine import installed_versions, machine
from speed.tables import draw, print_table, stain_table
from speed.timing import measure_size

from histocli.atomic_files import write_json

ROOT = Path(__file__).resolve().parents[1]
RESULTS, FIGURES = ROOT / "benchmarks" / "results", ROOT / "docs" / "figures"
SIZES_PX = (96, 224, 1024)
# Tiles of each size: about 10 megapixels on the CPU, 75 on a GPU.
TILES: Mapping[str, Mapping[int, int]] = {
    "cpu": {96: 1024, 224: 192, 1024: 8},
    "cuda": {96: 8192, 224: 1536, 1024: 64},
}


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("data", type=Path, nargs="?", help="folder of tiles; phantoms if not given")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES_PX, metavar="PX")
    parser.add_argument("--share", type=float, default=1.0, help="of the usual number of tiles")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="of each timing")
    parser.add_argument("--into", type=Path, help="write JSON and plot to this folder")
    parser.add_argument("--table", action="store_true", help="print the README's table, no more")
    arguments = parser.parse_args()
    name = "stain_speed" if arguments.device == "cpu" else "stain_speed_cuda"
    output = (arguments.into or RESULTS) / f"{name}.json"
    if arguments.table:
        print(stain_table(output))
        return
    torch = importlib.import_module("torch")
    if arguments.device == "cuda" and not torch.cuda.is_available():
        raise SystemExit("torch finds no CUDA device; choose --device cpu")
    logging.disable(logging.ERROR)
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")
        sizes = list(measured_sizes(arguments))
    result = {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": machine(arguments.device),
        "device": arguments.device,
        "versions": installed_versions(),
        "rounds": arguments.rounds,
        "seconds_each": arguments.seconds,
        "reference": "published",
        "sizes": sizes,
    }
    write_json(output, result)
    figure = (arguments.into or FIGURES) / f"{name}.png"
    draw(json.loads(output.read_text()), figure)
    print_table(result)
    print(f"wrote {output} and {figure}")


def measured_sizes(arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Each tile size in turn."""
    usual = TILES[arguments.device]
    megapixels = usual[96] * 96**2
    for size_px in arguments.sizes:
        count = usual.get(size_px, megapixels // size_px**2)
        count = max(2, round(count * arguments.share))
        yield measure_size(
            arguments.data,
            size_px,
            count,
            arguments.device,
            arguments.rounds,
            arguments.seconds,
        )


if __name__ == "__main__":
    main()
