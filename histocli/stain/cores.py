"""How many cores a process may use."""

import os


def available_cores() -> int:
    """Cores that this process may use; OMP_NUM_THREADS holds it to fewer."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    return min(cores or 1, int(wanted)) if wanted.isdigit() and int(wanted) else cores or 1
