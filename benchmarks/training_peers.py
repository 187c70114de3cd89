"""Train on the same tiles for about the same processor time: histo, timm, and the loop people write.

    python benchmarks/training_peers.py DATA [--recipe fast] [--seed 0] [--timm-train TIMM/train.py]

DATA has folders train, valid and test with a folder per class. histo trains first; the others get the
processor seconds that its training took, in as many epochs as fit. All start from the same ImageNet weights
of EfficientNet-Lite0, see tiles of the same side and use AdamW at the same rate under a cosine:

* "timm": its data set, loader, transforms, loss and schedule as its train.py sets them up by default;
* "plain": Pillow, torchstain (a tile that it fails on is left as it is), flips, cross-entropy;
* "timm's train.py", if its file is named (it is in timm's repository, not in its package): whole epochs
  only, so one more than fit, without a warm-up, the cosine by steps; its best checkpoint is scored.

Scored on the splits valid and test with one orientation, and averaged over eight. Writes
benchmarks/results/training_peers.json after each, and continues from it. An hour and a half on
one core, two with train.py.
"""

import argparse
import gc
import hashlib
import itertools
import json
import math
import os
import resource
import runpy
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from accuracy import RESULTS, histo, processor
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from histocli.metrics.definitions.auroc import macro_auroc
from histocli.models.architectures import find_architecture
from histocli.models.weights import load_weights
from histocli.predictions import Predictions
from histocli.training.augmentation import d4_views

PATH = RESULTS / "training_peers.json"
NETWORK = "tf_efficientnet_lite0"
SCRIPT = "timm's train.py"
PEERS = ("timm", "plain", SCRIPT)
BATCH_SIZE = 32
RATE = find_architecture("efficientnet").learning_rate
Batches = Iterator[tuple[Tensor, Tensor]]


class Plain(torch.utils.data.Dataset[tuple[Tensor, int]]):
    """Tiles as a first script reads them: Pillow, torchstain, a flip."""

    def __init__(self, folder: Path, side: int, *, training: bool) -> None:
        import torchstain

        self.classes = sorted(path.name for path in folder.iterdir() if path.is_dir())
        self.files = [
            (path, label)
            for label, name in enumerate(self.classes)
            for path in sorted((folder / name).iterdir())
        ]
        self.side, self.training = side, training
        self.normalizer: Any = torchstain.normalizers.MacenkoNormalizer(backend="torch")
        self.generator = torch.Generator().manual_seed(0)

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        path, label = self.files[index]
        tile = torch.from_numpy(np.array(Image.open(path).convert("RGB"))).permute(2, 0, 1).float()
        try:
            normalized = self.normalizer.normalize(tile, stains=False)[0].permute(2, 0, 1).float()
        except Exception:  # noqa: BLE001 - torchstain raises anything on a tile without tissue
            normalized = tile
        unit = torch.nan_to_num(normalized).clamp(0, 255) / 255
        if self.training:
            for axis in (1, 2):
                if torch.rand((), generator=self.generator) < 0.5:
                    unit = unit.flip(axis)
        large = functional.interpolate(unit[None], (self.side, self.side), mode="bilinear")[0]
        return (large - 0.5) / 0.5, label


def plain_batches(data: Path, side: int, split: str) -> Any:
    """The loader of the plain loop."""
    training = split == "train"
    return torch.utils.data.DataLoader(
        Plain(data / split, side, training=training),
        batch_size=BATCH_SIZE,
        shuffle=training,
        drop_last=training,
    )


def timm_batches(data: Path, side: int, split: str) -> Any:
    """The data set and loader of timm, with the transforms that its train.py has by default."""
    from timm.data import create_dataset, create_loader

    training = split == "train"
    return create_loader(
        create_dataset("", str(data / split)),
        input_size=(3, side, side),
        batch_size=BATCH_SIZE,
        is_training=training,
        use_prefetcher=False,
        color_jitter=0.4,
        hflip=0.5,
        interpolation="random" if training else "bilinear",
        mean=(0.5,) * 3,
        std=(0.5,) * 3,
        crop_pct=1.0,
        num_workers=0,
        persistent_workers=False,
        device=torch.device("cpu"),
    )


def pretrained_network(data: Path) -> nn.Module:
    """What the peers start from."""
    import timm

    classes = len([path for path in (data / "train").iterdir() if path.is_dir()])
    network: nn.Module = timm.create_model(NETWORK, num_classes=classes)
    load_weights(network, find_architecture(NETWORK), "auto", offline=True, say=print)
    return network


def train_peer(peer: str, data: Path, side: int, budget: float, seed: int) -> dict[str, Any]:
    """Train until the processor seconds are used; score both splits."""
    torch.manual_seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - timm's transforms draw from it
    network = pretrained_network(data)
    batches = timm_batches if peer == "timm" else plain_batches
    loader = batches(data, side, "train")
    optimizer = torch.optim.AdamW(network.parameters(), RATE, weight_decay=0.05)
    smoothing = 0.1 if peer == "timm" else 0.0
    started, steps = time.process_time(), 0
    network.train()
    for pixels, labels in itertools.chain.from_iterable(itertools.repeat(loader)):
        used = (time.process_time() - started) / budget
        if used >= 1:
            break
        # The cosine runs over the budget, as over epochs that were chosen to fill it.
        for group in optimizer.param_groups:
            group["lr"] = RATE * 0.5 * (1 + np.cos(np.pi * used))
        loss = functional.cross_entropy(network(pixels), labels, label_smoothing=smoothing)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        steps += 1
    scores: dict[str, Any] = {"epochs": steps / len(loader), "processor_seconds": budget}
    for split in ("valid", "test"):
        scores[split] = score_network(network, batches(data, side, split))
    return scores


def train_by_script(script: Path, data: Path, side: int, epochs: int, seed: int) -> dict[str, Any]:
    """Let timm's train.py train; score both splits by the checkpoint that it calls its best."""
    network = pretrained_network(data)
    with tempfile.TemporaryDirectory() as folder:
        start = Path(folder) / "start.pth"
        torch.save(network.state_dict(), start)
        train_py = runpy.run_path(str(script), run_name="train")
        if "--device" not in train_py["parser"].format_help():
            # The versions without that option take a GPU for granted.
            train_py["parser"].add_argument("--device")
            mock.patch("torch.cuda.synchronize").start()
        sys.argv = [
            *("train.py", "--data-dir", str(data), "--val-split", "valid", "--device", "cpu"),
            *("--model", NETWORK, "--initial-checkpoint", str(start)),
            *("--num-classes", str(network.get_parameter("classifier.bias").numel())),
            *("--input-size", "3", str(side), str(side), "--crop-pct", "1.0"),
            *("--interpolation", "bilinear", "--batch-size", str(BATCH_SIZE)),
            *("--opt", "adamw", "--lr", str(RATE), "--weight-decay", "0.05"),
            *("--epochs", str(epochs), "--warmup-epochs", "0", "--sched-on-updates"),
            *("--workers", "1", "--seed", str(seed), "--output", folder, "--experiment", "run"),
        ]
        before = processor_seconds()
        train_py["main"]()
        # The loaders' processes count once they have ended.
        gc.collect()
        used = processor_seconds() - before
        best = torch.load(Path(folder) / "run" / "model_best.pth.tar", weights_only=False)
        network.load_state_dict(best["state_dict"])
    scores: dict[str, Any] = {"epochs": epochs, "processor_seconds": used, **versions(script)}
    for split in ("valid", "test"):
        scores[split] = score_network(network, timm_batches(data, side, split))
    return scores


def versions(script: Path) -> dict[str, str]:
    """Which train.py, under which timm."""
    sha256 = hashlib.sha256(script.read_bytes()).hexdigest()
    return {"timm": version("timm"), "script_sha256": sha256}


def processor_seconds() -> float:
    """Of this process and of its children that ended, so far."""
    used = [resource.getrusage(whose) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def score_network(network: nn.Module, loader: Any) -> dict[str, float]:
    """AUROC with one orientation and with eight."""
    network.eval()
    outputs: list[Tensor] = []
    labels: list[Tensor] = []
    with torch.inference_mode():
        for pixels, known in loader:
            views = [network(view).double().softmax(1) for view in d4_views(pixels)]
            outputs.append(torch.stack([views[0], torch.stack(views).mean(0)]))
            labels.append(known)
    true = torch.cat(labels).numpy()
    found = torch.cat(outputs, dim=1).numpy()
    mean = [macro_auroc(probabilities, true) for probabilities in found]
    return {"one_orientation": mean[0], "eight_orientations": mean[1]}


def train_histo(data: Path, recipe: str, seed: int, runs: Path) -> tuple[dict[str, Any], int]:
    """Train by the command line; scores, and the side of its tiles."""
    before = processor_seconds()
    options = ["--recipe", recipe, "--seed", str(seed), "--runs", str(runs), "--name", "run"]
    histo("train", str(data), *options, "--test-time-augmentation", "none", "--offline")
    seconds = processor_seconds() - before
    record = json.loads((runs / "run" / "run.json").read_text())
    card = json.loads((runs / "run" / "best_model.json").read_text())
    scores: dict[str, Any] = {"epochs": record["results"]["epochs"], "processor_seconds": seconds}
    for split in ("valid", "test"):
        scores[split] = {}
        for views, name in (("none", "one_orientation"), ("d4", "eight_orientations")):
            histo(
                "evaluate", str(runs / "run"), "--split", split, "--test-time-augmentation", views
            )
            path = runs / "run" / "evaluation" / split / "predictions.csv"
            table = Predictions.read(path)
            scores[split][name] = macro_auroc(table.probabilities, table.label_indices)
    return scores, int(card["preprocessing"]["input_size_px"])


def begun(asked: dict[str, Any]) -> dict[str, Any]:
    """What an earlier run of this measured, if it was asked for the same on a machine like this."""
    if PATH.is_file():
        earlier: dict[str, Any] = json.loads(PATH.read_text())
        if all(earlier.get(key) == value for key, value in asked.items()):
            return earlier
    return {**asked, "rows": {}}


def keep(result: dict[str, Any]) -> None:
    """Write what is measured so far."""
    result["date"] = datetime.now(UTC).date().isoformat()
    RESULTS.mkdir(exist_ok=True)
    PATH.write_text(json.dumps(result, indent=2) + "\n")


def is_known(peer: str, rows: dict[str, Any], script: Path | None) -> bool:
    """Whether a peer is measured, or cannot be; of another train.py, what is kept does not count."""
    if peer != SCRIPT:
        return peer in rows
    return script is None or versions(script).items() <= rows.get(SCRIPT, {}).items()


def measure_peers(arguments: argparse.Namespace, result: dict[str, Any]) -> None:
    """Measure what is not yet measured, each in a process of its own."""
    rows, script = result["rows"], arguments.timm_train
    for peer in PEERS:
        if is_known(peer, rows, script):
            continue
        command = [sys.executable, __file__, str(arguments.data), "--seed", str(arguments.seed)]
        command += ["--peer", peer, "--side", str(result["input_size_px"])]
        command += ["--budget", str(rows["histo"]["processor_seconds"])]
        if peer == SCRIPT:
            command += ["--timm-train", str(script)]
            command += ["--epochs", str(math.ceil(rows["timm"]["epochs"]))]
        output = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
        rows[peer] = json.loads(output.splitlines()[-1])
        keep(result)


def table(rows: dict[str, Any]) -> list[str]:
    """The rows to print."""
    lines = [
        "| | epochs | processor time | valid AUROC | test AUROC | test, eight orientations |",
        "|---|---|---|---|---|---|",
    ]
    for name, row in rows.items():
        valid, test = row["valid"], row["test"]
        lines.append(
            f"| {name} | {row['epochs']:.1f} | {row['processor_seconds'] / 60:.0f} min | "
            f"{valid['one_orientation']:.3f} | {test['one_orientation']:.3f} | "
            f"{test['eight_orientations']:.3f} |"
        )
    return lines


def main() -> None:
    """Train all, print the table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("data", type=Path, nargs="?")
    parser.add_argument("--table", action="store_true", help="print the kept table")
    parser.add_argument("--recipe", default="fast")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--timm-train", type=Path, help="train.py of timm's repository")
    parser.add_argument("--peer", choices=PEERS, help=argparse.SUPPRESS)
    parser.add_argument("--side", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--budget", type=float, help=argparse.SUPPRESS)
    parser.add_argument("--epochs", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.table:
        print("\n".join(table(json.loads(PATH.read_text())["rows"])))
        return
    if arguments.data is None:
        parser.error("name a data set")
    # As histo has it: threads that wait do not spin, which would count as processor time.
    os.environ.setdefault("GOMP_SPINCOUNT", "2000")
    if arguments.peer:
        data, side, seed = arguments.data, arguments.side, arguments.seed
        if arguments.peer == SCRIPT:
            scores = train_by_script(arguments.timm_train, data, side, arguments.epochs, seed)
        else:
            scores = train_peer(arguments.peer, data, side, arguments.budget, seed)
        print(json.dumps(scores))
        return
    asked = {
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0)),
        "data": arguments.data.name,
        "recipe": arguments.recipe,
        "seed": arguments.seed,
    }
    result = begun(asked)
    rows = result["rows"]
    if "histo" not in rows:
        with tempfile.TemporaryDirectory() as folder:
            rows["histo"], side = train_histo(
                arguments.data, arguments.recipe, arguments.seed, Path(folder)
            )
        result["input_size_px"] = side
        keep(result)
    measure_peers(arguments, result)
    print("\n".join(table(rows)))


if __name__ == "__main__":
    main()
