"""Do the next item's work while the present one is used."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Made = TypeVar("Made")
ITEMS_AHEAD = 2
_END = object()


def ahead(items: Iterable[Item], depth: int = ITEMS_AHEAD) -> Iterator[Item]:
    """Draw items in a thread of their own, in their order, some before they are asked for.

    What the iterator raises is raised here in its turn. Leaving early stops the thread.

    Args:
        items: Drawn by one thread at a time.
        depth: How many are drawn before they are asked for.
    """
    iterator = iter(items)
    with ThreadPoolExecutor(1, "prefetch") as pool:
        pending: deque[Future[Item | object]] = deque()
        try:
            for _ in range(depth):
                pending.append(pool.submit(next, iterator, _END))
            while (item := pending.popleft().result()) is not _END:
                pending.append(pool.submit(next, iterator, _END))
                yield item  # type: ignore[misc] # everything but the mark is an item
        finally:
            for future in pending:
                future.cancel()


def ahead_in(
    pool: Executor, work: Callable[[Item], Made], items: Iterable[Item], depth: int
) -> Iterator[Made]:
    """Work on items in a pool, and yield what comes of them in their order.

    Args:
        pool: Does the work.
        work: Called with each item.
        items: Drawn no earlier than needed.
        depth: How many are begun before the first is asked for.
    """
    pending: deque[Future[Made]] = deque()
    for item in items:
        pending.append(pool.submit(work, item))
        if len(pending) > depth:
            yield pending.popleft().result()
    while pending:
        yield pending.popleft().result()
