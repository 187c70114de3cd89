"""SIGKILL at seeded moments of every command, and what the same command makes of what is left.

Promise: the command, given again, ends with the bytes of an undisturbed one; nothing half written has a
final name at any time; leftovers of the dead are taken over; two live commands never spoil one output.
"""

import os
import random
import shutil
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from histocli.data.phantom import write_phantom
from histocli.run_record import RunRecord
from tests.chaos.leftovers import differences, half_written, results
from tests.chaos.warm_commands import Warm

COMMON = ("--quiet", "--offline", "--device", "cpu", "--workers", "1")
NETWORK = (
    "--arch", "test_efficientnet", "--weights", "none", "--epochs", "2", "--batch-size", "8",
    "--input-size-px", "32", "--test-time-augmentation", "none", "--checkpoint-minutes", "0.0001",
)  # fmt: skip


@dataclass(frozen=True)
class World:
    """A folder in which commands work, always at the same place.

    Attributes:
        warm: Runs the commands.
        folder: Where everything lies.
    """

    warm: Warm
    folder: Path

    @property
    def data(self) -> Path:
        """The data set."""
        return self.folder / "data"

    @property
    def run(self) -> Path:
        """The run that is trained or used."""
        return self.folder / "runs" / "run"

    @cached_property
    def trained(self) -> Path:
        """A finished, evaluated run, made once."""
        master = self.folder / "trained"
        shutil.rmtree(self.folder / "runs", ignore_errors=True)
        self.warm.run(train(self))
        self.warm.run(evaluate(self))
        shutil.copytree(self.run, master)
        return master

    def prepare(self, *, needs_run: bool) -> None:
        """Remove what commands wrote; put a finished run there if asked for."""
        trained = self.trained if needs_run else None
        shutil.rmtree(self.folder / "runs", ignore_errors=True)
        shutil.rmtree(self.folder / "out", ignore_errors=True)
        if trained is not None:
            shutil.copytree(trained, self.run)


def make_world(warm: Warm, folder: Path, tiles: int) -> World:
    """A small data set of synthetic tiles."""
    world = World(warm, folder)
    write_phantom(world.data, tiles=tiles, seed=1)
    return world


def normalize(world: World) -> list[object]:
    return ["normalize", world.data, "--output", world.folder / "out" / "normalized", *COMMON]


def train(world: World) -> list[object]:
    runs = ["--runs", world.run.parent, "--name", world.run.name]
    record = RunRecord.read_if_present(world.run)
    resume = ["--resume"] if record is not None and record.state != "done" else []
    return ["train", world.data, *NETWORK, *COMMON, *runs, *resume]


def predict(world: World) -> list[object]:
    output = world.folder / "out" / "predictions.csv"
    return ["predict", world.run, world.data, "--output", output, *COMMON]


def evaluate(world: World) -> list[object]:
    return ["evaluate", world.run, "--data", world.data, "--bootstrap-samples", "200", *COMMON]


def explain(world: World) -> list[object]:
    return ["explain", world.run, "--data", world.data, "--tiles", "8", *COMMON]


def report(world: World) -> list[object]:
    return ["report", world.run, "--output", world.folder / "out" / "report.html", "--quiet"]


COMMANDS: Mapping[str, Callable[[World], list[object]]] = {
    "normalize": normalize,
    "train": train,
    "predict": predict,
    "evaluate": evaluate,
    "explain": explain,
    "report": report,
}


@dataclass(frozen=True)
class Undisturbed:
    """What a command leaves when nobody disturbs it.

    Attributes:
        files: Content by path.
        seconds: How long it took.
    """

    files: Mapping[str, Any]
    seconds: float


def undisturbed(world: World, command: str) -> Undisturbed:
    """Run a command alone."""
    world.prepare(needs_run=command not in ("normalize", "train"))
    seconds = world.warm.run(COMMANDS[command](world))
    return Undisturbed(results(world.folder), seconds)


def kill_once(
    world: World, command: str, whole: Undisturbed, moment: float
) -> tuple[bool, list[str]]:
    """Kill a command at a moment, given as a share of its time, and run it again.

    Returns:
        True if it was killed before its end; what is wrong.
    """
    world.prepare(needs_run=command not in ("normalize", "train"))
    before = results(world.folder)
    process = world.warm.begin(COMMANDS[command](world))
    time.sleep(moment * whole.seconds)
    os.kill(process, signal.SIGKILL)
    killed = world.warm.wait(process) < 0
    wrong = [
        f"{name}: half written" for name in half_written(results(world.folder), before, whole.files)
    ]
    done = RunRecord.read_if_present(world.run) if command == "train" else None
    if killed and not (done is not None and done.state == "done"):
        out = world.folder / "out"
        if (out / "predictions.csv").exists() and not list(out.glob(".predictions.csv.*.journal")):
            # Killed after its work: the table is there, and is refused as any table that exists.
            return killed, wrong + differences(results(world.folder), whole.files)
        world.warm.run(COMMANDS[command](world))
    return killed, wrong + differences(results(world.folder), whole.files)


def begin_twice(world: World, command: str, whole: Undisturbed, delay: float) -> list[str]:
    """Run a command twice at once on one output; what is wrong with what they leave."""
    world.prepare(needs_run=command not in ("normalize", "train"))
    first = world.warm.begin(COMMANDS[command](world))
    time.sleep(delay)
    second = world.warm.begin(COMMANDS[command](world))
    codes = [world.warm.wait(process) for process in (first, second)]
    # One may be refused, with the code of wrong usage, never both, and none may fail in another way.
    refused = [] if 0 in codes and set(codes) <= {0, 2} else [f"exit codes {codes}"]
    return refused + differences(results(world.folder), whole.files)


def moments(count: int, seed: int) -> list[tuple[str, float]]:
    """Commands in turn, each with a moment as a share of its time."""
    draw = random.Random(seed)
    names = list(COMMANDS)
    return [(names[n % len(names)], draw.random()) for n in range(count)]
