"""What share of a training step is spent waiting for data, for each way to feed it.

    python benchmarks/loader_share.py DATA [--arch efficientnet] [--steps 30] [--device auto]

The steps are those of `histo train` with its defaults: decoded tiles, augmentation, network, optimizer.
Waiting is the time from asking for a batch to having it on the device. The first step of each round is left
out, as it pays for the start of threads. Beside the feeds of `histo train --cache none|disk|device` stands
the plain loop, which decodes a batch when it is asked for, and the network with its optimizer alone on one
batch of noise: what everything else costs together, as times of that step (goal on a GPU: 1.05 at most).
Writes benchmarks/results/loader_share.json.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from speed.machine import machine
from torch.nn import functional

from histocli.atomic_files import write_json
from histocli.data.tiles import Blocked
from histocli.models.architectures import find_architecture
from histocli.models.classifier import StainChoice
from histocli.settings import TrainSettings
from histocli.training.dataset import TrainingData, open_training_data
from histocli.training.device_batches import DeviceBatch
from histocli.training.devices import find_device
from histocli.training.epoch import run_epoch
from histocli.training.feeds import Feed, open_feeds
from histocli.training.learning import EpochTotals, Learning
from histocli.training.network import Training, make_training
from histocli.training.order import shuffled
from histocli.training.plan import RunOptions, TrainingPlan
from histocli.training.processes import ALONE
from histocli.training.recipes import final_size

RESULTS = Path(__file__).parent / "results" / "loader_share.json"
CACHES = ("none", "disk", "device")
PLAIN = "decoded when asked for"
BARE = "network alone, on noise"
GOAL = 0.05


class Quiet:
    """Nobody watches."""

    def say(self, message: str) -> None:
        """Nothing."""

    def begin(self, stage: str, tiles: int) -> Callable[[int], None]:
        """Nothing."""
        del stage, tiles
        return lambda _: None

    def epoch(self, row: dict[str, float], epochs: int, seconds_left: float) -> None:
        """Nothing."""


class Stopwatch:
    """Times what a step waits for, and what it takes."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.waits: list[float] = []
        self.steps: list[float] = []

    def watch(self, batches: Iterator[DeviceBatch]) -> Iterator[DeviceBatch]:
        """Pass batches on; a step lasts from one request to the next."""
        asked = self._now()
        for batch in batches:
            self.waits.append(self._now() - asked)
            yield batch
            finished = self._now()
            self.steps.append(finished - asked)
            asked = finished

    def _now(self) -> float:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return time.perf_counter()


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description="share of a training step spent waiting for data")
    parser.add_argument("data", type=Path)
    parser.add_argument("--arch", default="efficientnet")
    parser.add_argument("--input-size-px", type=int)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args()
    device = find_device(arguments.device)
    data = open_training_data(arguments.data, 0, StainChoice(), lambda _: None)
    plan = default_plan(arguments)
    with tempfile.TemporaryDirectory() as folder:
        feeds: dict[str, Feed] = {PLAIN: plain_feed(data, device)}
        for cache in CACHES:
            options = RunOptions(Path(folder), 0, cache=cache, cache_folder=Path(folder))
            feeds[f"--cache {cache}"] = open_feeds(data, options, device, Quiet())["train"]
        rows = measure(data, plan, device, feeds, arguments.steps, arguments.rounds)
    result = {
        "date": datetime.now(UTC).date().isoformat(),
        **machine(device.type),
        "device": device.type,
        "torch": torch.__version__,
        "torch_threads": torch.get_num_threads(),
        "arch": plan.arch,
        "batch_size": plan.batch_size,
        "steps": arguments.steps,
        "rounds": arguments.rounds,
        "tile_size_px": list(data.splits["train"].source.read(0).shape[:2]),
        "input_size_px": final_size(plan, find_architecture(plan.arch)),
        "goal": GOAL,
        "feeds": rows,
    }
    write_json(RESULTS, result)
    show(result)


def default_plan(arguments: argparse.Namespace) -> TrainingPlan:
    """What `histo train` does unless it is told otherwise."""
    names = list(TrainingPlan.__dataclass_fields__)
    values = {name: getattr(TrainSettings(), name) for name in names}
    changed = {"arch": arguments.arch, "input_size_px": arguments.input_size_px}
    return TrainingPlan(**{**values, **changed, "batch_size": arguments.batch_size})


def plain_feed(data: TrainingData, device: torch.device) -> Feed:
    """Read, decode and copy a batch when it is asked for."""
    source = data.splits["train"].source

    def feed(indices: Any, batch_size: int, skipped: Any) -> Iterator[DeviceBatch]:
        del skipped
        for start in range(0, len(indices), batch_size):
            chunk = indices[start : start + batch_size]
            pixels = np.stack([source.read(index) for index in chunk]).transpose(0, 3, 1, 2)
            tiles = torch.from_numpy(np.ascontiguousarray(pixels)).to(device)
            yield DeviceBatch(tiles, np.array(chunk, np.int64))

    return feed


def measure(
    data: TrainingData,
    plan: TrainingPlan,
    device: torch.device,
    feeds: dict[str, Feed],
    steps: int,
    rounds: int,
) -> list[dict[str, Any]]:
    """Rounds in turn, so that a busy moment of the machine strikes all feeds alike."""
    options = RunOptions(Path(), 0, offline=True)
    training = make_training(data, plan, options, device, ALONE)
    training.start_average()
    learner = training.learner
    split = data.splits["train"]
    blocks = split.source.blocks(split.indices) if isinstance(split.source, Blocked) else None
    ids = [tile.id for tile in data.tiles]
    watches = {name: [Stopwatch(device) for _ in range(rounds)] for name in (*feeds, BARE)}
    for number in range(rounds):
        order = shuffled(split.indices, 0, number, plan.batch_size, blocks)
        bare_steps(training, plan.batch_size, watches[BARE][number], device, steps)
        for name, feed in feeds.items():
            batches = feed(order[: (steps + 1) * plan.batch_size], plan.batch_size, [])
            run_epoch(
                learner.model,
                watches[name][number].watch(batches),
                data.labels,
                ids,
                replace(training.loop, loss=training.loss),
                learning=Learning(
                    training.learning_plan,
                    number,
                    EpochTotals(),
                    learner.optimization,
                    training.classify,
                    learner.took_a_step,
                    plan.batch_size,
                ),
            )
    return [summary(name, watches[name], plan.batch_size) for name in watches]


def bare_steps(
    training: Training, batch_size: int, watch: Stopwatch, device: torch.device, steps: int
) -> None:
    """The network and its optimiser on one batch of noise: what no loop can be faster than."""
    model = training.learner.model.train()
    side = model.standardization.constants.input_size_px
    noise = torch.randn(batch_size, 3, side, side, device=device)
    noise = noise.contiguous(memory_format=torch.channels_last)
    targets = torch.zeros(batch_size, dtype=torch.int64, device=device)
    parameters = training.learner.optimization.parameters
    optimizer = torch.optim.AdamW(parameters, lr=0.0)
    precision = training.loop.precision
    same = (DeviceBatch(noise, np.zeros(batch_size, np.int64)) for _ in range(steps + 1))
    for batch in watch.watch(same):
        with torch.autocast(device.type, precision, enabled=precision != torch.float32):
            logits = model.network(batch.pixels)
        torch.autograd.backward(functional.cross_entropy(logits.float(), targets))
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad()


def summary(name: str, watches: list[Stopwatch], batch_size: int) -> dict[str, Any]:
    """Share of the waiting in each round, the median and the worst; tiles a second."""
    shares = [sum(watch.waits[1:]) / sum(watch.steps[1:]) for watch in watches]
    seconds = statistics.median(step for watch in watches for step in watch.steps[1:])
    return {
        "feed": name,
        "waiting_share": statistics.median(shares),
        "waiting_share_worst_round": max(shares),
        "step_milliseconds": 1000 * seconds,
        "tiles_per_second": batch_size / seconds,
    }


def show(result: dict[str, Any]) -> None:
    """Print the table."""
    title = (
        f"{result['arch']}, {result['batch_size']} tiles a step, {result['device']}, "
        f"{result['cores']} cores: share of a step spent waiting for data (goal: below {GOAL:.0%})"
    )
    table = Table(title=title)
    bare = next(row["step_milliseconds"] for row in result["feeds"] if row["feed"] == BARE)
    for column in ("feed", "waiting", "worst round", "step, ms", "times the network", "tiles/s"):
        table.add_column(column, justify="left" if column == "feed" else "right")
    for row in result["feeds"]:
        table.add_row(
            row["feed"],
            f"{row['waiting_share']:.2%}",
            f"{row['waiting_share_worst_round']:.2%}",
            f"{row['step_milliseconds']:.1f}",
            f"{row['step_milliseconds'] / bare:.2f}",
            f"{row['tiles_per_second']:.0f}",
        )
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
