"""Change one part of the training recipe at a time; print what each is worth, with seeds.

    python benchmarks/ablation.py DATA [--tiles 1500] [--seeds 0 1 2] [--only "timm's head"] [--jobs 1]
    python benchmarks/ablation.py DATA --arch resnet50    # its attention, from random weights

DATA is a labelled data set with the splits train and valid. Trains on a part of its training tiles, the
classes alike, and judges on all validation tiles; the test split is not read. Two jobs at once, each with
half of the cores, do more than one with all. Writes benchmarks/results/ablation-NAME.json after
every run, and continues from it. The difference is from the baseline of the same seed.
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
from joblib import Parallel, delayed
from scipy import stats

from histocli.data.layouts import open_source
from histocli.metrics.definitions.auroc import macro_auroc
from histocli.predictions import Predictions

# What all share: small and quick, one orientation when predicting.
COMMON = ("--input-size-px", "128", "--epochs", "4", "--test-time-augmentation", "none")
# Weights for it are in no package, so all of it learns.
RESNET50 = (
    *("--arch", "resnet50", "--weights", "none", "--learning-rate", "1e-3"),
    *("--input-size-px", "64", "--epochs", "4", "--test-time-augmentation", "none"),
)
BASELINE = "as it is"
VARIANTS: Mapping[str, Sequence[str]] = {
    BASELINE: (),
    "no weight average": ("--ema-decay", "0"),
    # The rest as histo's has it: another architecture has a rate and stages of its own.
    "timm's head": (
        *("--arch", "tf_efficientnet_lite0"),
        *("--learning-rate", "1e-3"),
        *("--keep-stages", "3"),
    ),
    "center pooling": ("--pooling", "center"),
    # As much work for the stages as at 192 px with a stem of stride 2.
    "stem stride 1 at 96 px": ("--stem-stride", "1", "--input-size-px", "96"),
    "no color jitter": ("--color-jitter", "0"),
    "Macenko inside": ("--stain", "macenko"),
    "stain augmentation 0.2": ("--stain-augmentation", "0.2"),
    "one random operation": ("--rand-augment", "1"),
    "mixup 0.2": ("--mixup", "0.2"),
    "cutmix 1.0": ("--cutmix", "1.0"),
    "no label smoothing": ("--label-smoothing", "0"),
    "focal loss, gamma 2": ("--focal-gamma", "2"),
    "layer decay 0.8": ("--layer-decay", "0.8"),
    "all stages learn": ("--keep-stages", "0"),
    "stem kept, no stage": ("--keep-stages", "1"),
    "stem and 3 stages kept": ("--keep-stages", "4"),
    "6 epochs": ("--epochs", "6"),
    "rate 3e-4": ("--learning-rate", "3e-4"),
    "rate 2e-3": ("--learning-rate", "2e-3"),
    "one-cycle": ("--schedule", "one-cycle"),
    "96 px": ("--input-size-px", "96"),
    "160 px": ("--input-size-px", "160"),
    "from 96 to 128 px": ("--initial-size-px", "96"),
    "batches of 16": ("--batch-size", "16"),
}

RESNET50_VARIANTS: Mapping[str, Sequence[str]] = {
    BASELINE: (),
    "timm's network": ("--arch", "resnet50.a1_in1k"),
}
# What all trainings of an architecture share, and what is changed.
ARCHITECTURES = {"efficientnet": (COMMON, VARIANTS), "resnet50": (RESNET50, RESNET50_VARIANTS)}


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


def measure(data: Path, runs: Path, arch: str, variant: str, seed: int) -> dict[str, float]:
    """Train once; the AUROC of the validation split as the finished model predicts it."""
    name = f"{variant.replace(' ', '-').replace(',', '')}-{seed}"
    common, variants = ARCHITECTURES[arch]
    options = [*common, *variants[variant], "--seed", str(seed), "--offline"]
    histo("train", str(data), *options, "--runs", str(runs), "--name", name)
    table = Predictions.read(runs / name / "validation.csv")
    return {"valid_auroc": macro_auroc(table.probabilities, table.label_indices)}


def rows_of(scores: Mapping[str, Mapping[str, Mapping[str, float]]]) -> list[dict[str, Any]]:
    """Mean of each variant, and its difference from the baseline by seed with a t interval."""
    baseline = scores.get(BASELINE, {})
    rows = []
    for variant, by_seed in scores.items():
        row: dict[str, Any] = {"variant": variant, "seeds": len(by_seed)}
        row["mean"] = statistics.mean(found["valid_auroc"] for found in by_seed.values())
        shared = sorted(set(by_seed) & set(baseline))
        if variant != BASELINE and shared:
            differences = [
                by_seed[seed]["valid_auroc"] - baseline[seed]["valid_auroc"] for seed in shared
            ]
            row["difference"] = statistics.mean(differences)
            if len(differences) > 1:
                error = statistics.stdev(differences) / len(differences) ** 0.5
                reach = float(stats.t.ppf(0.975, len(differences) - 1)) * error
                row |= {"low": row["difference"] - reach, "high": row["difference"] + reach}
        rows.append(row)
    return rows


def line(row: Mapping[str, Any]) -> str:
    """One row of the table."""
    text = f"| {row['variant']} | {row['seeds']} | {row['mean']:.4f} |"
    if "difference" not in row:
        return f"{text} |"
    text += f" {row['difference']:+.4f}"
    if "low" in row:
        text += f" ({row['low']:+.4f} to {row['high']:+.4f})"
    return f"{text} |"


def measure_missing(
    data: Path,
    arch: str,
    wanted: Sequence[tuple[str, int]],
    jobs: int,
    result: dict[str, Any],
    path: Path,
) -> None:
    """Measure what is not yet measured, several at once; the file is written after each."""
    # Of each training: together they have the machine's cores.
    os.environ["OMP_NUM_THREADS"] = str(max(1, len(os.sched_getaffinity(0)) // jobs))
    runs = data.parent / "runs"

    def measured(variant: str, seed: int) -> tuple[str, int, dict[str, float]]:
        return variant, seed, measure(data, runs, arch, variant, seed)

    missing = [
        delayed(measured)(variant, seed)
        for variant, seed in wanted
        if str(seed) not in result["scores"].get(variant, {})
    ]
    # The first that fails ends them all.
    several = Parallel(jobs, backend="threading", return_as="generator_unordered")
    for variant, seed, found in several(missing):
        result["scores"].setdefault(variant, {})[str(seed)] = found
        print(f"{variant}, seed {seed}: {found['valid_auroc']:.4f}", flush=True)
        known = result["scores"]
        result["scores"] = {name: known[name] for name in ARCHITECTURES[arch][1] if name in known}
        path.write_text(json.dumps(result, indent=2) + "\n")


def main() -> None:
    """Measure what is not yet measured, print the table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("data", type=Path)
    parser.add_argument("--tiles", type=int, default=1500, help="of training, all classes together")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--arch", choices=ARCHITECTURES, default="efficientnet")
    parser.add_argument("--only", nargs="+", help="some of the changes; all if not set")
    parser.add_argument(
        "--name", help="of the JSON file; that of folder and architecture if not set"
    )
    parser.add_argument("--jobs", type=int, default=1, help="trainings at once, sharing the cores")
    parser.add_argument(
        "--table", action="store_true", help="print the kept table and measure nothing"
    )
    arguments = parser.parse_args()
    common, variants = ARCHITECTURES[arguments.arch]
    changed = arguments.only or list(variants)
    if unknown := set(changed) - set(variants):
        parser.error(f"--only: no {', '.join(sorted(unknown))}; there are {', '.join(variants)}")
    own = "" if arguments.arch == "efficientnet" else f"-{arguments.arch}"
    path = RESULTS / f"ablation-{arguments.name or arguments.data.name + own}.json"
    result: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {"scores": {}}
    if not arguments.table:
        setting = {
            "training_tiles": arguments.tiles,
            "common": list(common),
            "jobs": arguments.jobs,
        }
        if any(result.get(key, value) != value for key, value in setting.items()):
            raise SystemExit(f"{path} was measured otherwise; choose another --name")
        result |= {
            "date": datetime.now(UTC).date().isoformat(),
            "processor": processor(),
            "cores": len(os.sched_getaffinity(0)),
            "python": platform.python_version(),
            "data": arguments.data.name,
            **setting,
        }
        wanted = [(variant, seed) for seed in arguments.seeds for variant in changed]
        with tempfile.TemporaryDirectory() as temporary:
            part = Path(temporary) / "data"
            link_part(arguments.data, part, arguments.tiles)
            measure_missing(part, arguments.arch, wanted, arguments.jobs, result, path)
    print("| changed | seeds | validation AUROC | difference (95 %) |")
    print("|---|---|---|---|")
    for row in rows_of(result["scores"]):
        print(line(row))


if __name__ == "__main__":
    main()
