"""Stop at a safe place when a scheduler or a user says so."""

import signal
from collections.abc import Iterable, Iterator
from types import FrameType, TracebackType
from typing import Self, TypeVar

from histocli.errors import StoppedError

Item = TypeVar("Item")
SIGNALS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGUSR1") if hasattr(signal, name))


class StopRequest:
    """Turns SIGTERM and SIGUSR1 into ``StoppedError`` at the next ``check``."""

    def __init__(self) -> None:
        self.received: str | None = None
        self._previous: dict[signal.Signals, signal._HANDLER] = {}

    def __enter__(self) -> Self:
        for number in SIGNALS:
            self._previous[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        del frame
        self.received = signal.Signals(number).name

    def check(self) -> None:
        """Raise if a signal came.

        Raises:
            StoppedError: Naming the signal.
        """
        if self.received:
            raise StoppedError(f"stopped by {self.received}")

    def watch(self, items: Iterable[Item]) -> Iterator[Item]:
        """Pass items on, checking before each."""
        for item in items:
            self.check()
            yield item
