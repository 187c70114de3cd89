"""Train and evaluate by the command line, with its defaults, and print a table of the test scores.

    python benchmarks/accuracy.py DATA [--recipe standard fast frozen] [--seeds 0] [--by stain_look]

DATA is any labelled data set that `histo train` reads; the README's figures come from 9,000 tiles of
PatchCamelyon and 2,500 of LC25000. Writes benchmarks/results/accuracy-NAME.json after every run; what it
holds of other recipes and seeds stays.
"""

import argparse
import csv
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from histocli.metrics.definitions.auroc import macro_auroc
from histocli.predictions import Predictions

RESULTS = Path(__file__).parent / "results"
SHOWN = ("auroc", "balanced_accuracy", "accuracy", "brier")


def histo(*arguments: str) -> dict[str, Any]:
    """Run one command in a process of its own, as a user does; its facts come back."""
    command = [sys.executable, "-c", "from histocli.cli.app import main; main()", *arguments]
    process = subprocess.run([*command, "--json"], stdout=subprocess.PIPE, text=True, check=False)
    if process.returncode:
        raise SystemExit(f"histo {' '.join(arguments)} failed: {process.stdout}")
    facts: dict[str, Any] = json.loads(process.stdout)
    return facts


# What `histo train` is given for each recipe that can be measured, in the order of the table.
RECIPES: Mapping[str, Sequence[str]] = {
    "frozen": ("--transfer", "frozen"),
    "fast": ("--recipe", "fast"),
    "standard": (),
    "best": ("--recipe", "best"),
    "macenko": ("--stain", "macenko"),
}


def measure(
    data: Path, arch: str, recipe: str, seed: int, runs: Path, by: str | None
) -> dict[str, Any]:
    """Train once; evaluate the validation and the test split."""
    name = f"{arch}-{recipe}-{seed}"
    if not ended(runs / name):
        options = ["--arch", arch, *RECIPES[recipe], "--seed", str(seed), "--name", name]
        # A cache of its own: features are computed, not found.
        cache = ["--cache-folder", str(runs / f"{name}-cache")]
        histo("train", str(data), *options, *cache, "--runs", str(runs), "--offline")
    trained = json.loads((runs / name / "run.json").read_text())["results"]
    row: dict[str, Any] = {
        "arch": arch,
        "recipe": recipe,
        "seed": seed,
        "date": datetime.now(UTC).date().isoformat(),
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0)),
        "train_minutes": trained["seconds"] / 60,
        "epochs": trained["epochs"],
    }
    for split in ("valid", "test"):
        metrics = runs / name / "evaluation" / split / "metrics.json"
        if not metrics.is_file():
            histo("evaluate", str(runs / name), "--split", split)
        facts = json.loads(metrics.read_text())
        row[split] = {
            metric: {key: facts["metrics"][metric][key] for key in ("value", "ci_low", "ci_high")}
            for metric in SHOWN
        }
        row[f"{split}_tiles"] = facts["tiles"]
        if by is not None:
            row[f"{split}_by_{by}"] = scores_by(data, runs / name / "evaluation" / split, by)
    return row


def scores_by(data: Path, evaluation: Path, column: str) -> dict[str, float]:
    """AUROC in each part of the tiles that a column of the data set's table names."""
    with (data / "labels.csv").open(newline="") as file:
        parts = {row["path"]: row[column] for row in csv.DictReader(file)}
    table = Predictions.read(evaluation / "predictions.csv")
    labels = table.label_indices
    own = np.array([parts[tile] for tile in table.tiles])
    found = {}
    for part in sorted(set(own.tolist())):
        chosen = own == part
        found[part] = macro_auroc(table.probabilities[chosen], labels[chosen])
    return found


def ended(run: Path) -> bool:
    """Whether a run is there and has ended."""
    record = run / "run.json"
    return record.is_file() and json.loads(record.read_text())["state"] == "done"


def processor() -> str:
    """Name of the processor, as the kernel says it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def main() -> None:
    """Measure what was asked for, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("data", type=Path)
    parser.add_argument("--recipe", nargs="+", choices=RECIPES, default=["standard"])
    parser.add_argument("--by", help="column of labels.csv whose parts are scored apart")
    parser.add_argument("--arch", default="efficientnet")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--name", help="of the JSON file; the folder's name if not set")
    parser.add_argument(
        "--runs", type=Path, help="keep the runs here; those that ended are not repeated"
    )
    arguments = parser.parse_args()
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"accuracy-{arguments.name or arguments.data.name}.json"
    with tempfile.TemporaryDirectory() as folder:
        runs = arguments.runs or Path(folder)
        for seed in arguments.seeds:
            for recipe in arguments.recipe:
                row = measure(arguments.data, arguments.arch, recipe, seed, runs, arguments.by)
                print(line(row), flush=True)
                keep(path, arguments.data.name, row)
    print(f"wrote {path}; {processor()}, {len(os.sched_getaffinity(0))} cores")


def keep(path: Path, data: str, row: dict[str, Any]) -> None:
    """Put a row in the place of an earlier one of the same recipe and seed, or after the others."""
    rows = json.loads(path.read_text())["rows"] if path.is_file() else []
    by_name = {identity(kept): kept for kept in rows} | {identity(row): row}
    content = {"data": data, "rows": sorted(by_name.values(), key=identity)}
    path.write_text(json.dumps(content, indent=2) + "\n")


def identity(row: dict[str, Any]) -> tuple[str, int, int]:
    """What no two rows share, in the order in which they are listed."""
    return row["arch"], list(RECIPES).index(row["recipe"]), row["seed"]


def line(row: dict[str, Any]) -> str:
    """One row of the table."""
    cells = [row["arch"], row["recipe"], f"seed {row['seed']}", f"{row['epochs']} epochs"]
    cells.append(f"{row['train_minutes']:.1f} min")
    for split in ("valid", "test"):
        for metric in ("auroc", "balanced_accuracy"):
            found = row[split][metric]
            interval = f"({found['ci_low']:.3f} to {found['ci_high']:.3f})"
            cells.append(f"{split} {metric} {found['value']:.4f} {interval}")
        parts: dict[str, float] = next(
            (value for key, value in row.items() if key.startswith(f"{split}_by_")), {}
        )
        cells.extend(f"{part} {score:.4f}" for part, score in parts.items())
    return " | ".join(cells)


if __name__ == "__main__":
    main()
