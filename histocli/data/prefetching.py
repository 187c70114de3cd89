"""Do the next item's work while the present one is used."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
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
