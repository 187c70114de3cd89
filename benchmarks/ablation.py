"""Change one part of the training recipe at a time; print what each is worth, with seeds.

    python benchmarks/ablation.py DATA [--tiles 1500] [--seeds 0 1 2] [--only stock-head no-average]

DATA is a labelled data set with the splits train and valid. Trains on a part of its training tiles, the
classes alike, and judges on all validation tiles; the test split is not read. Writes
benchmarks/results/ablation-NAME.json after every run, and continues from it.
"""

import argparse
import json
import os
import platform
import random
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from accuracy import RESULTS, histo, processor
from scipy import stats

from histocli.data.layouts import open_source
from histocli.predictions import Predictions

# What all share: small and quick, one orientation when predicting.
COMMON = ("--input-size-px", "128", "--epochs", "4", "--test-time-augmentation", "none")
BASELINE = "as it is"
VARIANTS: Mapping[str, Sequence[str]] = {
    BASELINE: (),
    "no weight average": ("--ema-decay", "0"),
    "timm's head": ("--arch", "tf_efficientnet_lite0"),
    "no color jitter": ("--color-jitter", "0"),
    "Macenko inside": ("--stain", "macenko"),
    "stain augmentation 0.2": ("--stain-augmentation", "0.2"),
    "one random operation": ("--rand-augment", "1"),
    "mixup 0.2": ("--mixup", "0.2"),
    "cutmix 1.0": ("--cutmix", "1.0"),
    "no label smoothing": ("--label-smoothing", "0"),
    "focal loss, gamma 2": ("--focal-gamma", "2"),
    "layer decay 0.8": ("--layer-decay", "0.8"),
    "rate 1e-3": ("--learning-rate", "1e-3"),
    "rate 1e-4": ("--learning-rate", "1e-4"),
    "one-cycle": ("--schedule", "one-cycle"),
    "96 px": ("--input-size-px", "96"),
    "160 px": ("--input-size-px", "160"),
    "from 96 to 128 px": ("--initial-size-px", "96"),
    "batches of 16": ("--batch-size", "16"),
}


def link_part(data: Path, folder: Path, tiles: int) -> None:
    """Links to some of the training tiles, the classes alike, and to all validation tiles."""
    source = open_source(data)
    by_class: dict[str, list[str]] = {}
    chosen: list[tuple[str, str, str]] = []
    for tile in source.tiles:
        if tile.label is None:
            continue
        if tile.split == "valid":
            chosen.append(("valid", tile.label, tile.id))
        elif tile.split == "train":
            by_class.setdefault(tile.label, []).append(tile.id)
    for label, names in sorted(by_class.items()):
        drawn = random.Random(0).sample(sorted(names), tiles // len(by_class))
        chosen.extend(("train", label, name) for name in drawn)
    for split, label, name in chosen:
        target = folder / split / label / name.replace("/", "-")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to((data / name).resolve())


def measure(data: Path, runs: Path, variant: str, seed: int) -> float:
    """Train once; the AUROC of the validation split as the finished model predicts it."""
    name = f"{variant.replace(' ', '-').replace(',', '')}-{seed}"
    options = [*COMMON, *VARIANTS[variant], "--seed", str(seed), "--offline"]
    histo("train", str(data), *options, "--runs", str(runs), "--name", name)
    table = Predictions.read(runs / name / "validation.csv")
    from histocli.training.fit import macro_auroc

    return macro_auroc(table.probabilities, table.label_indices)


def rows_of(scores: Mapping[str, Mapping[str, float]]) -> list[dict[str, Any]]:
    """Mean of each variant, and its difference from the baseline by seed with a t interval."""
    baseline = scores.get(BASELINE, {})
    rows = []
    for variant, by_seed in scores.items():
        row: dict[str, Any] = {"variant": variant, "mean": statistics.mean(by_seed.values())}
        row["seeds"] = len(by_seed)
        shared = sorted(set(by_seed) & set(baseline))
        differences = [by_seed[seed] - baseline[seed] for seed in shared]
        if variant != BASELINE and differences:
            row["difference"] = statistics.mean(differences)
            if len(differences) > 1:
                error = statistics.stdev(differences) / len(differences) ** 0.5
                reach = float(stats.t.ppf(0.975, len(differences) - 1)) * error
                row |= {"low": row["difference"] - reach, "high": row["difference"] + reach}
        rows.append(row)
    return rows


def line(row: Mapping[str, Any]) -> str:
    """One row of the table."""
    text = f"| {row['variant']} | {row['mean']:.4f} |"
    if "difference" not in row:
        return f"{text} |"
    text += f" {row['difference']:+.4f}"
    return f"{text} ({row['low']:+.4f} to {row['high']:+.4f}) |" if "low" in row else f"{text} |"


def main() -> None:
    """Measure what is not yet measured, print the table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("data", type=Path)
    parser.add_argument("--tiles", type=int, default=1500, help="of training, all classes together")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--only", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--name", help="of the JSON file; the folder's name if not set")
    parser.add_argument(
        "--table", action="store_true", help="print the kept table and measure nothing"
    )
    arguments = parser.parse_args()
    path = RESULTS / f"ablation-{arguments.name or arguments.data.name}.json"
    result = json.loads(path.read_text()) if path.is_file() else {"scores": {}}
    if not arguments.table:
        with tempfile.TemporaryDirectory() as temporary:
            part = Path(temporary) / "data"
            link_part(arguments.data, part, arguments.tiles)
            for seed in arguments.seeds:
                for variant in arguments.only:
                    known = result["scores"].setdefault(variant, {})
                    if str(seed) in known:
                        continue
                    known[str(seed)] = measure(part, Path(temporary) / "runs", variant, seed)
                    print(f"{variant}, seed {seed}: {known[str(seed)]:.4f}", flush=True)
                    result |= {
                        "date": datetime.now(UTC).date().isoformat(),
                        "processor": processor(),
                        "cores": len(os.sched_getaffinity(0)),
                        "python": platform.python_version(),
                        "data": arguments.data.name,
                        "training_tiles": arguments.tiles,
                        "common": list(COMMON),
                    }
                    path.write_text(json.dumps(result, indent=2) + "\n")
    print("| changed | validation AUROC | difference (95 %) |\n|---|---|---|")
    for row in rows_of(result["scores"]):
        print(line(row))


if __name__ == "__main__":
    main()
