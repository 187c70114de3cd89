"""Keep freed memory for the next step instead of giving it back to the system."""

import ctypes
import sys

# Parameters of glibc's mallopt.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
LARGEST = 2**31 - 1


def keep_freed_memory() -> bool:
    """Ask glibc to reuse large blocks.

    A network on a CPU allocates and frees activations of 10 to 100 MB. By default each is a fresh mapping
    whose pages the kernel clears at first touch, which takes a good part of the time.

    Returns:
        Whether it was possible: only with glibc.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return False
    return bool(mallopt(M_MMAP_THRESHOLD, 2**30)) and bool(mallopt(M_TRIM_THRESHOLD, LARGEST))
