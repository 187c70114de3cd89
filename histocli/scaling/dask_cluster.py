"""Shards on a Dask cluster: only shard numbers and paths travel; a lost worker's shards go to another."""

import logging
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from histocli.data.shards import Shard
from histocli.errors import HistoError, SettingsError
from histocli.scaling.attempt import Begin, ShardTask, attempt

if TYPE_CHECKING:
    from distributed import Client

LOCAL = "local"
# A local cluster listens to this machine alone, and serves no pages about itself.
LOOPBACK = "127.0.0.1"
NO_PAGES = dict.fromkeys(
    ("distributed.scheduler.http.routes", "distributed.worker.http.routes"), ()
)
SECONDS_TO_CONNECT = 30
RETRIES = 2


def check_scheduler(scheduler: str) -> None:
    """Refuse what no cluster can be reached by.

    Raises:
        SettingsError: Saying what to do.
    """
    if scheduler != LOCAL and "://" not in scheduler:
        raise SettingsError(
            f"--scheduler {scheduler}: write local, or a scheduler's address like tcp://HOST:8786"
        )
    if find_spec("distributed") is None:
        raise SettingsError(
            "--scheduler needs Dask, which is not installed: pip install 'histocli[dask]', here and "
            "where the workers are"
        )


@contextmanager
def cluster(scheduler: str, workers: int) -> Iterator["Client"]:
    """A client of the cluster; ``local`` starts one on this machine, which ends with the block.

    Args:
        scheduler: ``local``, or an address.
        workers: Processes of a local cluster.

    Raises:
        SettingsError: If no scheduler answers at the address.
    """
    import dask.config
    from distributed import Client, LocalCluster

    if scheduler != LOCAL:
        try:
            client = Client(scheduler, timeout=SECONDS_TO_CONNECT)
        except (OSError, ValueError) as error:
            raise SettingsError(
                f"--scheduler {scheduler}: no Dask scheduler answers there ({error})"
            ) from error
        with client:
            yield client
        return
    with (
        dask.config.set(NO_PAGES),
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            host=LOOPBACK,
            dashboard_address=None,
            # Keys of this cluster alone: a scheduler runs what anybody sends it, and so could every other
            # user of this machine.
            security=True,
            # A shard's memory does not grow with its tiles; Dask would kill what it did not allot.
            memory_limit=0,
            silence_logs=logging.ERROR,
        ) as local,
        Client(local) as client,
    ):
        yield client


def run_on_dask(
    client: "Client",
    task: ShardTask,
    shards: Sequence[Shard],
    begin: Begin,
    *,
    overwrite: bool = False,
) -> list[Any]:
    """Do every shard on a worker of the cluster; the results, in the order of the shards.

    A shard whose worker is lost goes to another, which continues it; so does one that failed by surprise.
    Where this process ends early, shards that workers have begun are finished by them.

    Args:
        client: Of the cluster. Its workers see the same files under the same paths.
        task: The command.
        shards: Its parts.
        begin: Called with the stage and its number of shards.
        overwrite: Begin anew.

    Raises:
        HistoError: The error of a shard, or that workers died of it too often.
    """
    from distributed import Event, as_completed

    name = f"histo-{uuid.uuid4().hex}"
    futures = {
        client.submit(
            _attempt, task, shard, name, overwrite=overwrite, retries=RETRIES, key=f"{name}-{shard}"
        ): shard
        for shard in shards
    }
    results: dict[Shard, Any] = {}
    advance = begin("shards", len(shards))
    try:
        for future in as_completed(futures):
            shard = futures[future]
            results[shard] = _result_of(future.result, shard)
            advance(1)
    finally:
        client.cancel(list(futures))
        for shard in shards:
            Event(_event(name, shard), client=client).clear()
    return [results[shard] for shard in shards]


def _result_of(wait: Callable[[], Any], shard: Shard) -> Any:
    """What a shard gave; its error is raised."""
    from distributed import KilledWorker

    try:
        result = wait()
    except KilledWorker as error:
        raise HistoError(
            f"shard {shard}: {error.allowed_failures + 1} workers died of it; what is done is kept. Look "
            "into the workers' logs (memory?) and run again to continue"
        ) from error
    except Exception as error:
        raise HistoError(
            f"shard {shard} failed on the cluster: {type(error).__name__}: {error}. Its workers need the "
            "same histocli, and the tiles and the output under the same paths"
        ) from error
    if isinstance(result, HistoError):
        raise result
    return result


def _event(name: str, shard: Shard) -> str:
    return f"{name}-{shard}-begun"


def _attempt(task: ShardTask, shard: Shard, name: str, *, overwrite: bool) -> Any:
    """Body on a worker. An expected error is a result: to try again would not help."""
    from distributed import Event

    # The cluster remembers what a lost worker had begun.
    begun = Event(_event(name, shard))
    first = not begun.is_set()
    begun.set()
    try:
        return attempt(
            task, shard, first=first, overwrite=overwrite, begin=_begin_unseen, say=_say_unheard
        )
    except HistoError as error:
        return error


def _begin_unseen(stage: str, total: int) -> Callable[[int], None]:
    del stage, total
    return lambda _: None


def _say_unheard(message: str) -> None:
    logging.getLogger("distributed.worker").info(message)
