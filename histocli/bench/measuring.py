"""Tiles a second of one stage."""

import time
from dataclasses import dataclass
from statistics import median

from histocli.bench.stage import Stage

# The first call compiles, allocates and fills caches; the median of three survives one disturbance.
LEAST_CALLS = 3


@dataclass(frozen=True)
class Rate:
    """What was measured of one stage.

    Attributes:
        stage: Its name.
        detail: By what it was done.
        commands: Commands whose tiles pass through it.
        tiles_per_second: The median over ``calls``.
        calls: How often it was done.
    """

    stage: str
    detail: str
    commands: tuple[str, ...]
    tiles_per_second: float
    calls: int


def measure(stage: Stage, seconds: float) -> Rate:
    """Do a stage again and again for about so many seconds, and three times at least."""
    stage.work()
    durations: list[float] = []
    while len(durations) < LEAST_CALLS or sum(durations) < seconds:
        started = time.perf_counter()
        stage.work()
        durations.append(time.perf_counter() - started)
    rate = stage.tiles / max(median(durations), 1e-9)
    return Rate(stage.name, stage.detail, stage.commands, rate, len(durations))
