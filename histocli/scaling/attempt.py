"""One attempt at one shard, wherever it runs."""

import time
from collections.abc import Callable
from typing import Any, Protocol

from histocli.data.shards import Shard
from histocli.errors import BusyOutputError

Advance = Callable[[int], None]
Begin = Callable[[str, int], Advance]
Say = Callable[[str], None]

# Processes of a command that was killed end as they next report.
SECONDS_FOR_THE_FIRST = 10.0
# Of a process that died, a network file system frees the locks when its lease is over: 90 s with NFS 4.
SECONDS_FOR_LATER_ONES = 120.0
SECONDS_BETWEEN_TRIES = 2.0


class ShardTask(Protocol):
    """What a command does for one shard; it is sent to other processes by pickle."""

    def __call__(self, *, shard: Shard, overwrite: bool, begin: Begin, say: Say) -> Any:
        """Do the shard; continue what an earlier attempt did of it."""
        ...


def attempt(
    task: ShardTask, shard: Shard, *, first: bool, overwrite: bool, begin: Begin, say: Say
) -> Any:
    """Do a shard, after an earlier attempt that died too.

    Args:
        task: The command.
        shard: The shard.
        first: Nobody tried it before. Later attempts continue what is there, never begin anew, and wait
            longer for the lock of the one that died.
        overwrite: Begin anew.
        begin: Called with each stage and its number of tiles.
        say: Told what is waited for.

    Raises:
        BusyOutputError: If another process is writing the shard, and lives.
    """
    deadline = time.monotonic() + (SECONDS_FOR_THE_FIRST if first else SECONDS_FOR_LATER_ONES)
    while True:
        try:
            return task(shard=shard, overwrite=overwrite and first, begin=begin, say=say)
        except BusyOutputError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(SECONDS_BETWEEN_TRIES)
