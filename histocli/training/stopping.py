"""Stop at a safe place when a scheduler or a user says so."""

import signal
from collections.abc import Iterable, Iterator
from types import FrameType, TracebackType
from typing import Self, TypeVar

from histocli.errors import InterruptedRunError, StoppedError

Item = TypeVar("Item")
NAMES = ("SIGTERM", "SIGUSR1", "SIGINT")
SIGNALS = tuple(getattr(signal, name) for name in NAMES if hasattr(signal, name))


class StopRequest:
    """Turns SIGTERM, SIGUSR1 and the first Ctrl-C into an error at the next ``check``.

    A second Ctrl-C interrupts at once.
    """

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
        if number == signal.SIGINT and self.received:
            raise KeyboardInterrupt
        self.received = signal.Signals(number).name

    def check(self) -> None:
        """Raise if a signal came.

        Raises:
            StoppedError: Naming the signal.
            InterruptedRunError: On Ctrl-C.
        """
        if self.received == "SIGINT":
            raise InterruptedRunError("interrupted")
        if self.received:
            raise StoppedError(f"stopped by {self.received}")

    def watch(self, items: Iterable[Item]) -> Iterator[Item]:
        """Pass items on, checking before each."""
        for item in items:
            self.check()
            yield item
