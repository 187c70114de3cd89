import time
from collections.abc import Iterator

import pytest

from histocli.stage_clock import StageClock


class Time:
    """Passes when told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        monkeypatch.setattr(time, "perf_counter", lambda: self.now)

    def passes(self, seconds: float) -> None:
        self.now += seconds


def test_the_work_that_took_longest_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    passing, clock = Time(monkeypatch), StageClock()
    assert clock.slowest() is None
    for _ in range(3):
        with clock.spent("stain"):
            passing.passes(1)
    with clock.spent("writing"):
        passing.passes(2.5)
    assert clock.slowest() == "stain"
    clock.reset()
    assert clock.slowest() is None


@pytest.mark.parametrize(("reading", "learning"), [(3, 1), (1, 3)])
def test_waiting_for_items_is_told_from_working_on_them(
    monkeypatch: pytest.MonkeyPatch, reading: float, learning: float
) -> None:
    passing, clock = Time(monkeypatch), StageClock()

    def batches() -> Iterator[int]:
        for number in range(4):
            passing.passes(reading)
            yield number

    seen = []
    for batch in clock.between(batches(), "reading", "model"):
        seen.append(batch)
        passing.passes(learning)
    assert seen == [0, 1, 2, 3]
    assert clock.slowest() == ("reading" if reading > learning else "model")


def test_work_that_fails_counts_too(monkeypatch: pytest.MonkeyPatch) -> None:
    passing, clock = Time(monkeypatch), StageClock()

    def write() -> None:
        passing.passes(1)
        raise OSError("full")

    with pytest.raises(OSError, match="full"), clock.spent("writing"):
        write()
    assert clock.slowest() == "writing"
