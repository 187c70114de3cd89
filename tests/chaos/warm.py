"""A process that has imported everything slow; each command runs in a fork of it and can be killed.

Reads one request a line: ``{"begin": [ARGUMENT, …], "log": PATH, "limits": {NAME: NUMBER, …}}`` answers
the number of the process, see ``LIMITS``; ``{"wait": NUMBER}`` answers its exit code, negative if a signal
ended it.
"""

import ctypes
import json
import os
import resource
import signal
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

LONGEST_SECONDS = 900


def import_everything() -> None:
    """What commands import when they are called, without beginning a thread."""
    import numba  # noqa: F401
    import sklearn.linear_model  # noqa: F401
    import timm  # noqa: F401
    import torch

    import histocli.explain.explain
    import histocli.metrics.evaluate
    import histocli.preparation.job
    import histocli.report.page
    import histocli.training.api
    import histocli.training.use  # noqa: F401

    torch.set_num_threads(1)
    "".encode("utf-8-sig")  # a module too


def run(arguments: Sequence[str], log: str, limits: Mapping[str, int]) -> int:
    """Run a command as its own process would."""
    from histocli.cli.app import app

    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    for name, number in limits.items():
        LIMITS[name](number)
    try:
        app(list(arguments))
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(bool(ended.code))
    except BaseException:  # noqa: BLE001 - a fork must never return into the loop of its parent
        traceback.print_exc()
        return 1
    return 0


def limit_handles(more: int) -> None:
    """Let this process open so many files more, and no others."""
    opened = len(list(Path("/proc/self/fd").iterdir())) - 1
    resource.setrlimit(resource.RLIMIT_NOFILE, (opened + more, opened + more))


def limit_memory(more: int) -> None:
    """Let this process take so many bytes more of address space."""
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + more, used + more))


def drop_privileges(_: int) -> None:
    """Root may write anywhere: give up the capabilities by which it may."""
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    sets = (ctypes.c_uint32 * 6)()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.capget(header, sets):
        raise OSError(ctypes.get_errno(), "capget")
    # Effective, permitted, inheritable, of the first 32; CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH.
    for place in range(3):
        sets[place] &= ~(1 << 1 | 1 << 2)
    if libc.capset(header, sets):
        raise OSError(ctypes.get_errno(), "capset")


LIMITS: Mapping[str, Callable[[int], None]] = {
    "handles": limit_handles,
    "memory": limit_memory,
    "unprivileged": drop_privileges,
}


def begin(arguments: Sequence[str], log: str, limits: Mapping[str, int]) -> int:
    """Fork; the number of the child, which leads a group of its own."""
    number = os.fork()
    if number:
        return number
    os.setpgid(0, 0)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # A command that hangs shall end, and with it the test.
    signal.alarm(LONGEST_SECONDS)
    code = run(arguments, log, limits)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def main() -> None:
    """Serve until the input ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    import_everything()
    answers.write("ready\n")
    answers.flush()
    for line in sys.stdin:
        request = json.loads(line)
        if "wait" in request:
            answer = os.waitstatus_to_exitcode(os.waitpid(request["wait"], 0)[1])
        else:
            answer = begin(request["begin"], request["log"], request["limits"])
        answers.write(f"{answer}\n")
        answers.flush()


if __name__ == "__main__":
    main()
