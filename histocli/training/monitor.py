"""Who watches a run."""

from collections.abc import Callable
from typing import Protocol


class Monitor(Protocol):
    """Who watches a run: the command line, a test."""

    def say(self, message: str) -> None:
        """A line for the user."""

    def begin(self, stage: str, tiles: int) -> Callable[[int], None]:
        """A stage of so many tiles begins; the result is called with the number done."""

    def epoch(self, row: dict[str, float], epochs: int, seconds_left: float) -> None:
        """One of so many epochs has ended; the others will train for about so long."""
