"""The only consoles: results on stdout, progress and messages on stderr."""

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from histocli.atomic_files import without_nan
from histocli.stage_clock import CLOCK

# Without a terminal a progress line is printed this often.
SECONDS_BETWEEN_LINES = 30.0


class RateColumn(ProgressColumn):
    """Tiles a second."""

    def render(self, task: Task) -> Text:
        """Rate of the last seconds."""
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.0f}/s" if speed >= 10 else f"{speed:.1f}/s")


class BottleneckColumn(ProgressColumn):
    """What takes most of the time."""

    def render(self, task: Task) -> Text:
        """Of the stage under way."""
        del task
        return Text(bottleneck())


def bottleneck() -> str:
    """What takes most of the time of the stage under way, in words; empty where nobody measures it."""
    slowest = CLOCK.slowest()
    return f"mostly {slowest}" if slowest else ""


@dataclass
class Terminal:
    """How one command talks to its user.

    Attributes:
        quiet: No progress, no messages.
        verbose: More of both.
        as_json: The result is one JSON object on stdout.
        again: What to do after an interruption.
    """

    quiet: bool = False
    verbose: bool = False
    as_json: bool = False
    again: str = "run the same command again"
    out: Console = field(default_factory=lambda: Console(file=sys.stdout, highlight=False))
    err: Console = field(default_factory=lambda: Console(file=sys.stderr, highlight=False))

    def say(self, message: str) -> None:
        """A line for the user, on stderr."""
        if not self.quiet:
            style = "yellow" if message.startswith("warning") else None
            # A terminal gets whole words on each line, a file one line for each message.
            wrap = not self.err.is_terminal
            self.err.print(message, style=style, markup=False, soft_wrap=wrap)

    def error(self, message: str, exit_code: int) -> None:
        """An error in one sentence; as JSON too where JSON was asked for."""
        # One line also in a terminal, which folds it: a command in it can be copied whole.
        self.err.print(Text("error: ", style="bold red") + Text(message), soft_wrap=True)
        if self.as_json:
            self.out.file.write(json.dumps({"error": message, "exit_code": exit_code}) + "\n")

    def result(self, facts: Mapping[str, Any], *blocks: Table | str) -> None:
        """The result: tables and lines, or the same facts as JSON."""
        if self.as_json:
            content = json.dumps(without_nan(facts), indent=2, default=str, ensure_ascii=False)
            self.out.file.write(content + "\n")
            return
        for block in blocks:
            if isinstance(block, str):
                self.out.print(block, markup=False, soft_wrap=not self.out.is_terminal)
            else:
                self.out.print(block)

    @contextmanager
    def progress(
        self, stage: str, total: int, unit: str = "tiles"
    ) -> Iterator[Callable[[int], None]]:
        """A bar with rate, time left and bottleneck; lines now and then where there is no terminal."""
        CLOCK.reset()
        if self.quiet:
            yield lambda _: None
        elif self.err.is_terminal:
            columns = (
                TextColumn("{task.description}", markup=False),
                BarColumn(bar_width=16),
                MofNCompleteColumn(),
                RateColumn(),
                TimeRemainingColumn(),
                BottleneckColumn(),
            )
            with Progress(*columns, console=self.err, transient=True) as bar:
                task = bar.add_task(stage, total=total)
                yield lambda done: bar.advance(task, done)
        else:
            yield self._lines(stage, total, unit)

    def _lines(self, stage: str, total: int, unit: str) -> Callable[[int], None]:
        started = last = time.monotonic()
        done = 0

        def advance(number: int) -> None:
            nonlocal done, last
            done += number
            now = time.monotonic()
            if now - last >= SECONDS_BETWEEN_LINES and done:
                last = now
                left = (now - started) / done * (total - done)
                rate = done / (now - started)
                slowest = f", {bottleneck()}" if bottleneck() else ""
                self.say(
                    f"{stage}: {done} of {total}, {rate:,.0f} {unit}/s, {left:.0f} s left{slowest}"
                )

        return advance


def make_table(title: str, header: Sequence[str], rows: Sequence[Sequence[object]]) -> Table:
    """A plain table: the first column names, the others are numbers."""
    table = Table(
        # On one line, also above a table that is narrower.
        title=Text(title, style="bold", no_wrap=True, overflow="ignore"),
        title_justify="left",
        box=None,
        pad_edge=False,
        show_header=any(header),
    )
    for position, name in enumerate(header):
        table.add_column(name, justify="left" if position == 0 else "right", overflow="fold")
    for row in rows:
        table.add_row(*(Text("" if cell is None else str(cell)) for cell in row))
    return table


class Stages:
    """Stages of one command, each with its progress; beginning one ends the one before."""

    def __init__(self, terminal: Terminal) -> None:
        self.terminal = terminal
        self._stage = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def begin(self, stage: str, total: int, unit: str = "tiles") -> Callable[[int], None]:
        """Begin a stage of so many tiles, or of another unit."""
        self.close()
        return self._stage.enter_context(self.terminal.progress(stage, total, unit))

    def close(self) -> None:
        """End the stage under way."""
        self._stage.close()
