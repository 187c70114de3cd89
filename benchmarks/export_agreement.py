"""Export models with each stain normaliser inside; how far are the files from the runs, on real tiles?

    python benchmarks/export_agreement.py DATA [--tiles 1500]

DATA is a labelled data set. Trains a head on fixed features for each normaliser, exports the run by the
command line, which asks the run and the files about tiles of the validation split and about blank ones.
Writes benchmarks/results/export_agreement.json; --table prints the kept table and measures nothing. Needs
histocli[export]; some minutes on two cores.
"""

import argparse
import json
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from accuracy import RESULTS, histo, processor

PATH = RESULTS / "export_agreement.json"
STAINS = ("none", "reinhard", "macenko")
TRAINING = ("--transfer", "frozen", "--input-size-px", "96", "--offline")


def measure(data: Path, stain: str, runs: Path, tiles: int) -> dict[str, Any]:
    """Train and export once; what the command found of each file."""
    histo("train", str(data), *TRAINING, "--stain", stain, "--runs", str(runs), "--name", stain)
    facts = histo("export", str(runs / stain), "--tiles", str(tiles))
    check: dict[str, Any] = facts["check"]
    return check


def table(result: dict[str, Any]) -> list[str]:
    """The rows to print."""
    rows = [
        "| normaliser inside | file | tiles | within 0.001 | largest difference | decided otherwise |",
        "|---|---|---|---|---|---|",
    ]
    for stain, files in result["stains"].items():
        for file, found in sorted(files.items()):
            rows.append(
                f"| {stain} | {file} | {found['tiles']} | {found['share']:.2%} | "
                f"{found['largest']:.0e} | {found['decisions_changed']} |"
            )
    return rows


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("data", type=Path, nargs="?")
    parser.add_argument("--tiles", type=int, default=1500, help="of the validation split")
    parser.add_argument("--table", action="store_true", help="print the kept table")
    arguments = parser.parse_args()
    if arguments.table:
        print("\n".join(table(json.loads(PATH.read_text()))))
        return
    if arguments.data is None:
        parser.error("name a data set")
    with tempfile.TemporaryDirectory() as folder:
        stains = {
            stain: measure(arguments.data, stain, Path(folder), arguments.tiles) for stain in STAINS
        }
    result = {
        "date": datetime.now(UTC).date().isoformat(),
        "processor": processor(),
        "data": arguments.data.name,
        "training": list(TRAINING),
        "stains": stains,
    }
    PATH.write_text(json.dumps(result, indent=2) + "\n")
    print("\n".join(table(result)))


if __name__ == "__main__":
    main()
