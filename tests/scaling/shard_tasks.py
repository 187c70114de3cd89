"""Tasks that die, and what they do until then; other processes import them."""

import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from histocli.data.layouts import open_source
from histocli.data.shards import Shard
from histocli.data.tiles import TileSource
from histocli.errors import BusyOutputError, InputError
from histocli.qc.check import Judging, check_whole
from histocli.qc.result import QCResult
from histocli.run_record import RunRecord
from histocli.scaling.attempt import Advance, Begin, Say, ShardTask


def silent_begin(stage: str, total: int) -> Advance:
    """Nobody looks."""
    del stage, total
    return lambda _: None


@dataclass(frozen=True)
class Dying:
    """A task whose process is killed after some tiles of one shard, as often as is stated.

    Attributes:
        task: What is done otherwise.
        shard: The shard.
        marks: Folder that counts the deaths.
        after: Tiles.
        times: Deaths.
    """

    task: ShardTask
    shard: Shard
    marks: Path
    after: int = 1
    times: int = 1

    def __call__(self, *, shard: Shard, overwrite: bool, begin: Begin, say: Say) -> Any:
        deaths = len(list(self.marks.iterdir()))
        chosen = shard == self.shard and deaths < self.times
        done = 0

        def begin_to_die(stage: str, total: int) -> Advance:
            advance = begin(stage, total)

            def advance_to_death(number: int) -> None:
                nonlocal done
                advance(number)
                done += number
                if done >= self.after:
                    (self.marks / str(deaths)).touch()
                    os.kill(os.getpid(), signal.SIGKILL)

            return advance_to_death

        chosen_begin = begin_to_die if chosen else begin
        return self.task(shard=shard, overwrite=overwrite, begin=chosen_begin, say=say)


@dataclass(frozen=True)
class Counting:
    """Appends a line for each of ten tiles of a shard, and continues where the lines end."""

    folder: Path

    def __call__(self, *, shard: Shard, overwrite: bool, begin: Begin, say: Say) -> Sequence[int]:
        lines = self.folder / f"{shard.number}.txt"
        if overwrite:
            lines.unlink(missing_ok=True)
        done = lines.read_text().splitlines() if lines.exists() else []
        advance = begin("counting", 10)
        advance(len(done))
        say(f"{len(done)} were done")
        for number in range(len(done), 10):
            with lines.open("a") as file:
                file.write(f"{number} {os.getpid()}\n")
            advance(1)
        return [shard.number, os.getpid()]


def wrong_input(*, shard: Shard, overwrite: bool, begin: Begin, say: Say) -> None:
    """An error that another attempt would meet again; the other shards work on until they are ended."""
    del overwrite, begin
    if shard.number == 2:
        raise InputError(f"{shard}: no such folder")
    say("working")
    time.sleep(600)


@dataclass(frozen=True)
class Endless:
    """Works, and reports, for ever."""

    def __call__(self, *, shard: Shard, overwrite: bool, begin: Begin, say: Say) -> None:
        del shard, overwrite
        advance = begin("working", 10)
        say("working")
        while True:
            advance(1)
            time.sleep(0.05)


def crash(*, shard: Shard, overwrite: bool, begin: Begin, say: Say) -> None:
    """A defect, or what a network file system does on a bad day."""
    del shard, overwrite, begin, say
    raise ValueError("unforeseen")


@dataclass(frozen=True)
class BusyOnce:
    """The lock of a process that died is still there."""

    folder: Path

    def __call__(self, *, shard: Shard, overwrite: bool, begin: Begin, say: Say) -> bool:
        del overwrite, begin, say
        mark = self.folder / f"busy-{shard.number}"
        if not mark.exists():
            mark.touch()
            raise BusyOutputError(f"{shard}: another process is writing it")
        return True


@dataclass(frozen=True)
class Crashing:
    """A source whose decoder crashes at one tile, as libraries in C do at a file made for it.

    Attributes:
        source: All other tiles.
        at: Place of that tile.
        by: The signal that ends the process.
        once: A file that is made then, so that it happens once.
    """

    source: TileSource
    at: int
    by: signal.Signals = signal.SIGSEGV
    once: Path | None = None

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.source, name)

    def read(self, index: int) -> NDArray[np.uint8]:
        """Decode one tile, or die."""
        if index == self.at and not (self.once is not None and self.once.exists()):
            if self.once is not None:
                self.once.touch()
            os.kill(os.getpid(), self.by)
        return self.source.read(index)


@dataclass(frozen=True)
class CheckingQuality:
    """`histo qc` of a folder in which one file crashes its decoder."""

    data: Path
    output: Path
    at: int

    def __call__(self, *, shard: Shard, overwrite: bool, begin: Begin, say: Say) -> QCResult:
        del say
        source = open_source(self.data)
        record = RunRecord("qc", {}, {"source": {"path": str(self.data)}})
        return check_whole(
            Crashing(source, self.at),
            self.output,
            shard,
            judging=Judging(),
            record=record,
            batch_size=4,
            overwrite=overwrite,
            progress=begin("checking", len(source.tiles)),
        )
