"""Work that may need more memory than a device has: in parts, each half as large, until they fit."""

import logging
import sys
from collections.abc import Callable
from typing import TypeVar

from histocli.errors import is_of_a_device

Result = TypeVar("Result")


class FittingParts:
    """How much can be done at once, as far as is known.

    Args:
        at_once: What to begin with; None for everything.
    """

    def __init__(self, at_once: int | None = None) -> None:
        self.at_once = at_once

    def each(self, work: Callable[[int, int], Result], total: int) -> list[Result]:
        """Do the work from 0 to ``total``; where the memory is too small, go on with half as much at once.

        Args:
            work: Called with first and last, exclusive; may be called again for what it failed at.
            total: Of all; with 0 it is called once.

        Returns:
            What each part gave, in order.
        """
        results: list[Result] = []
        first = 0
        while first < total or not results:
            last = total if self.at_once is None else min(total, first + self.at_once)
            try:
                results.append(work(first, last))
            except Exception as error:
                if not is_of_a_device(error) or last - first < 2:
                    raise
                self.at_once = (last - first + 1) // 2
                logging.getLogger(__name__).warning(
                    "out of memory with %d tiles at once: going on with %d",
                    last - first,
                    self.at_once,
                )
            else:
                first = last
                continue
            # Only here is what the failed part held no longer referred to.
            give_back()
        return results


def give_back() -> None:
    """Give back what the libraries keep of a device's memory."""
    torch, cupy = sys.modules.get("torch"), sys.modules.get("cupy")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
    if cupy is not None:
        cupy.get_default_memory_pool().free_all_blocks()
