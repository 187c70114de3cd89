"""Train and evaluate by the command line, with its defaults, and print a table of the test scores.

    python benchmarks/accuracy.py DATA [--stain none macenko] [--arch efficientnet] [--seeds 0]

DATA is any labelled data set that `histo train` reads; the README's figures come from 9,000 tiles of
PatchCamelyon and 2,500 of LC25000. Writes benchmarks/results/accuracy-NAME.json.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

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


def measure(data: Path, arch: str, stain: str, seed: int, runs: Path) -> dict[str, Any]:
    """Train once; evaluate the validation and the test split."""
    name = f"{arch}-{stain}-{seed}"
    if not ended(runs / name):
        options = ["--arch", arch, "--stain", stain, "--seed", str(seed), "--name", name]
        histo("train", str(data), *options, "--runs", str(runs), "--offline")
    trained = json.loads((runs / name / "run.json").read_text())["results"]
    minutes = trained["seconds"] / 60
    row: dict[str, Any] = {"arch": arch, "stain": stain, "seed": seed, "train_minutes": minutes}
    row["epochs"] = trained["epochs"]
    for split in ("valid", "test"):
        started = time.monotonic()
        facts = histo("evaluate", str(runs / name), "--split", split)
        row[f"{split}_minutes"] = (time.monotonic() - started) / 60
        row[split] = {
            metric: {key: facts["metrics"][metric][key] for key in ("value", "ci_low", "ci_high")}
            for metric in SHOWN
        }
        row[f"{split}_tiles"] = facts["tiles"]
    return row


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
    parser.add_argument("--stain", nargs="+", default=["none"])
    parser.add_argument("--arch", default="efficientnet")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--name", help="of the JSON file; the folder's name if not set")
    parser.add_argument(
        "--runs", type=Path, help="keep the runs here; those that ended are not repeated"
    )
    arguments = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        runs = arguments.runs or Path(folder)
        for stain in arguments.stain:
            for seed in arguments.seeds:
                rows.append(measure(arguments.data, arguments.arch, stain, seed, runs))
                print(line(rows[-1]), flush=True)
    result = {
        "date": datetime.now(UTC).date().isoformat(),
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0)),
        "data": arguments.data.name,
        "rows": rows,
    }
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"accuracy-{arguments.name or arguments.data.name}.json"
    path.write_text(json.dumps(result, indent=2) + "\n")
    print(f"wrote {path}; {result['processor']}, {result['cores']} cores")


def line(row: dict[str, Any]) -> str:
    """One row of the table."""
    cells = [row["arch"], f"stain {row['stain']}", f"seed {row['seed']}", f"{row['epochs']} epochs"]
    cells.append(f"{row['train_minutes']:.1f} min")
    for split in ("valid", "test"):
        for metric in ("auroc", "balanced_accuracy"):
            found = row[split][metric]
            interval = f"({found['ci_low']:.3f} to {found['ci_high']:.3f})"
            cells.append(f"{split} {metric} {found['value']:.4f} {interval}")
    return " | ".join(cells)


if __name__ == "__main__":
    main()
