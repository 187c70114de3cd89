"""Shards in processes of this machine: one that dies is begun again, and continues its shard."""

import multiprocessing
import signal
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from threading import Lock
from typing import Any

from histocli.data.isolation import ISOLATION, has_crashed
from histocli.data.shards import Shard
from histocli.errors import HistoError
from histocli.scaling.attempt import Begin, Say, ShardTask, attempt
from histocli.scaling.joint_progress import JointProgress

ATTEMPTS = 3
SECONDS_TO_END = 5.0
# Begun by spawning: a fork would copy threads and locks of torch in whatever state they are.
CONTEXT = multiprocessing.get_context("spawn")
BEGIN, ADVANCE, SAY, RESULT, ERROR, CRASH = "begin", "advance", "say", "result", "error", "crash"


@dataclass
class _Worker:
    """A process that does one shard, and the pipe through which it tells how it goes."""

    process: BaseProcess
    pipe: Connection
    shard: Shard
    number: int
    apart: bool
    crash: str | None = None


def run_in_processes(
    task: ShardTask,
    shards: Sequence[Shard],
    begin: Begin,
    say: Say,
    *,
    overwrite: bool = False,
    apart: bool = False,
    attempts: int = ATTEMPTS,
) -> list[Any]:
    """Do every shard in a process of its own, side by side; the results, in the order of the shards.

    A process that is killed or crashes is replaced by another that continues. If it crashed as a decoder
    does, the other has each tile read apart, so that the file is found and passed over. Stopping this
    process stops all of them; what is done is kept.

    Args:
        task: The command.
        shards: Its parts.
        begin: Called with each stage and its number of tiles.
        say: Told of processes that died.
        overwrite: Begin anew.
        apart: Have each tile read apart from the start.
        attempts: Processes that may take a shard on, one after another.

    Raises:
        HistoError: The error of a shard, or that its processes died too often.
    """
    progress = JointProgress(begin)
    results: dict[Shard, Any] = {}
    workers: dict[Connection, _Worker] = {}

    def start(shard: Shard, number: int, apart: bool) -> None:
        worker = _start(task, shard, number, overwrite=overwrite, apart=apart)
        workers[worker.pipe] = worker

    try:
        for shard in shards:
            start(shard, 1, apart)
        while workers:
            ready = set(wait(list(workers)))
            for worker in [worker for pipe, worker in workers.items() if pipe in ready]:
                try:
                    kind, content = worker.pipe.recv()
                except (EOFError, OSError):
                    _end(workers.pop(worker.pipe))
                    if worker.shard not in results:
                        _tell_or_raise(worker, attempts, say)
                        crashed = has_crashed(worker.process.exitcode)
                        start(worker.shard, worker.number + 1, worker.apart or crashed)
                    continue
                _hear(worker, kind, content, progress, results, say)
    finally:
        for worker in workers.values():
            worker.process.terminate()
        for worker in workers.values():
            _end(worker)
    return [results[shard] for shard in shards]


def _start(task: ShardTask, shard: Shard, number: int, *, overwrite: bool, apart: bool) -> _Worker:
    ours, theirs = CONTEXT.Pipe(duplex=False)
    how = {"first": number == 1, "overwrite": overwrite, "apart": apart}
    process = CONTEXT.Process(target=_work, args=(theirs, task, shard), kwargs=how)
    process.start()
    # The end of the process shall be the end of the pipe.
    theirs.close()
    return _Worker(process, ours, shard, number, apart)


def _end(worker: _Worker) -> None:
    worker.process.join(SECONDS_TO_END)
    if worker.process.is_alive():
        worker.process.kill()
        worker.process.join()
    worker.pipe.close()


def _hear(
    worker: _Worker,
    kind: str,
    content: Any,
    progress: JointProgress,
    results: dict[Shard, Any],
    say: Say,
) -> None:
    if kind == BEGIN:
        progress.begin(worker.shard, *content)
    elif kind == ADVANCE:
        progress.advance(worker.shard, content)
    elif kind == SAY:
        say(f"shard {worker.shard}: {content}")
    elif kind == RESULT:
        results[worker.shard] = content
    elif kind == CRASH:
        worker.crash = content
    else:
        raise content


def _tell_or_raise(worker: _Worker, attempts: int, say: Say) -> None:
    """What a process that ended too early means."""
    code = worker.process.exitcode or 0
    killed = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
    reason = worker.crash or killed
    if worker.number >= attempts:
        raise HistoError(
            f"shard {worker.shard}: {attempts} processes died of it, the last of {reason}; what is done is "
            "kept. Run again to continue, with fewer --processes if memory ran out"
        )
    how = ", having each tile read apart" if has_crashed(worker.process.exitcode) else ""
    say(f"warning: shard {worker.shard} died of {reason}; another process continues it{how}")


def _work(
    pipe: Connection, task: ShardTask, shard: Shard, *, first: bool, overwrite: bool, apart: bool
) -> None:
    """Body of a process."""
    # Ctrl-C reaches all processes of the terminal; the first one ends the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    one_at_a_time = Lock()

    def tell(kind: str, content: Any) -> None:
        with one_at_a_time:
            pipe.send((kind, content))

    def begin(stage: str, total: int) -> Callable[[int], None]:
        tell(BEGIN, (stage, total))
        return partial(tell, ADVANCE)

    say = partial(tell, SAY)
    try:
        with ISOLATION.switched(apart):
            result = attempt(task, shard, first=first, overwrite=overwrite, begin=begin, say=say)
        tell(RESULT, result)
    except BrokenPipeError:
        # Nobody listens: the first process has been killed. What is done is kept.
        return
    except HistoError as error:
        tell(ERROR, error)
    except Exception as error:  # noqa: BLE001 - told to the first process, which tries again
        traceback.print_exc()
        tell(CRASH, f"{type(error).__name__}: {error}")
