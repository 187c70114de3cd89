"""One step of the work."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Stage:
    """A step that tiles pass through.

    Attributes:
        name: What is done.
        detail: By what.
        commands: Commands whose tiles pass through it.
        tiles: How many ``work`` does.
        work: Does it once; returns when it is done, on any device.
    """

    name: str
    detail: str
    commands: tuple[str, ...]
    tiles: int
    work: Callable[[], None]
