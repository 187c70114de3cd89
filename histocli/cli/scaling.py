"""How a command's work is divided: at once, in processes, or on a Dask cluster."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from histocli.cli.console import Stages, Terminal
from histocli.errors import SettingsError
from histocli.settings import ScaledSection

if TYPE_CHECKING:
    from histocli.data.shards import Shard
    from histocli.scaling.attempt import ShardTask


def chosen_shard(settings: ScaledSection, terminal: Terminal) -> "Shard":
    """The part that was asked for, or SLURM's, which is said."""
    from histocli.data.shards import choose_shard

    shard, origin = choose_shard(settings.shard, os.environ)
    if origin is not None:
        terminal.say(origin)
    return shard


def reachable(path: Path, settings: ScaledSection) -> Path:
    """The path as workers of a cluster, who start elsewhere, can use it."""
    return path if settings.scheduler is None else path.absolute()


def threads_each(settings: ScaledSection) -> int | None:
    """Decoding threads of each process: all of them share the cores of this machine."""
    from histocli.data.loading import default_workers

    if settings.workers is not None or settings.processes == 1:
        return settings.workers
    return max(1, default_workers() // settings.processes)


def run_shards(
    task: "ShardTask",
    shard: "Shard",
    settings: ScaledSection,
    terminal: Terminal,
    *,
    overwrite: bool,
) -> list[Any]:
    """Do a part as the settings ask for; one result for each part that it was divided into."""
    with Stages(terminal) as stages:
        begin, say = stages.begin, terminal.say
        if settings.scheduler is not None:
            if settings.isolate:
                raise SettingsError(
                    "--isolate: workers of a Dask cluster start no processes; use --processes"
                )
            from histocli.scaling.dask_cluster import check_scheduler, cluster, run_on_dask

            check_scheduler(settings.scheduler)
            with cluster(settings.scheduler, settings.processes) as client:
                count = max(settings.processes, sum(client.nthreads().values()), 1)
                return run_on_dask(client, task, shard.divided(count), begin, overwrite=overwrite)
        if settings.processes == 1:
            return [task(shard=shard, overwrite=overwrite, begin=begin, say=say)]
        from histocli.scaling.processes import run_in_processes

        shards = shard.divided(settings.processes)
        apart = settings.isolate
        return run_in_processes(task, shards, begin, say, overwrite=overwrite, apart=apart)
