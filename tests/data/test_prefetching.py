"""Items drawn ahead: in order, with their errors, and no thread left behind."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from histocli.data.prefetching import ahead, ahead_in


def test_items_come_in_their_order() -> None:
    assert list(ahead(range(100))) == list(range(100))
    assert list(ahead(())) == []
    assert list(ahead([None, 0, ""], 1)) == [None, 0, ""]


def test_the_next_items_are_drawn_while_one_is_used() -> None:
    drawn = [threading.Event() for _ in range(5)]

    def items() -> Iterator[int]:
        for number, event in enumerate(drawn):
            event.set()
            yield number

    found = ahead(items(), 2)
    assert next(found) == 0
    # The one in hand, and two ahead of it.
    assert drawn[2].wait(10)
    assert not drawn[3].is_set()
    assert list(found) == [1, 2, 3, 4]


def test_an_error_comes_in_its_turn() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise ValueError("the second")

    found = ahead(items())
    assert next(found) == 1
    with pytest.raises(ValueError, match="the second"):
        next(found)


def test_leaving_early_ends_the_thread_and_closes_the_source() -> None:
    closed = threading.Event()

    def items() -> Iterator[int]:
        try:
            yield from range(1000)
        finally:
            closed.set()

    before = threading.active_count()
    found = ahead(items())
    next(found)
    found.close()  # type: ignore[attr-defined] # a generator has it
    del found
    assert closed.wait(10)
    assert threading.active_count() == before


def test_a_pool_works_ahead_and_no_further_and_results_come_in_order() -> None:
    drawn: list[int] = []

    def items() -> Iterator[int]:
        for number in range(10):
            drawn.append(number)
            yield number

    with ThreadPoolExecutor(3) as pool:
        found = ahead_in(pool, lambda number: number**2, items(), 2)
        assert next(found) == 0
        assert drawn == [0, 1, 2]
        assert list(found) == [number**2 for number in range(1, 10)]


def test_an_error_in_a_pool_comes_in_its_turn() -> None:
    with ThreadPoolExecutor(2) as pool:
        found = ahead_in(pool, lambda number: 1 // (2 - number), range(4), 3)
        assert next(found) == 0
        assert next(found) == 1
        with pytest.raises(ZeroDivisionError):
            next(found)
