"""Where the time of a stage goes: seconds by what was done, summed over threads.

Progress names what takes most of it, so that a user knows whether a quicker disk or a quicker processor
would help.
"""

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from threading import Lock
from typing import TypeVar

T = TypeVar("T")


class StageClock:
    """Seconds spent on each kind of work since the last ``reset``."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._seconds: defaultdict[str, float] = defaultdict(float)

    def reset(self) -> None:
        """Begin anew."""
        with self._lock:
            self._seconds.clear()

    def add(self, work: str, seconds: float) -> None:
        """Add some seconds of a kind of work."""
        with self._lock:
            self._seconds[work] += seconds

    @contextmanager
    def spent(self, work: str) -> Iterator[None]:
        """Add the seconds that the block takes."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.add(work, time.perf_counter() - started)

    def between(self, items: Iterable[T], waiting: str, working: str | None = None) -> Iterator[T]:
        """Pass items on: until one comes is ``waiting``, until the next is asked for is ``working``."""
        iterator = iter(items)
        while True:
            with self.spent(waiting):
                try:
                    item = next(iterator)
                except StopIteration:
                    return
            with self.spent(working) if working else nullcontext():
                yield item

    def slowest(self) -> str | None:
        """The kind of work that took most of the time; None before anything was done."""
        with self._lock:
            return max(self._seconds, key=lambda work: self._seconds[work], default=None)


# The one of this process: stages follow one another.
CLOCK = StageClock()
