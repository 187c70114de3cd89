"""How many cores a process may use, and how many of them one of its threads."""

import os
from contextvars import ContextVar

_SHARE: ContextVar[int | None] = ContextVar("share of the cores", default=None)


def available_cores() -> int:
    """Cores that this thread may use; OMP_NUM_THREADS holds it to fewer."""
    share = _SHARE.get()
    if share is not None:
        return share
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    return min(cores or 1, int(wanted)) if wanted.isdigit() and int(wanted) else cores or 1


def hold_this_thread(cores: int) -> None:
    """Let the work that this thread begins use so many cores: other threads do the same beside it."""
    _SHARE.set(cores)
