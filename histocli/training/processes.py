"""The processes of one training: one, or several that `torchrun` started."""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
from torch import distributed

from histocli.errors import HistoError, SettingsError

Item = TypeVar("Item")
# A process that hangs is given up after this long: the first may have to decode a data set meanwhile. One
# that died is noticed at once. By itself gloo would wait for half an hour, and again at the next step.
TIMEOUT = timedelta(minutes=10)
# What torch, gloo and NCCL say of a process that is no longer there or does not answer.
LOST = (
    "gloo",
    "NCCL",
    "Connection closed by peer",
    "Connection reset by peer",
    "Timed out waiting",
)


@dataclass(frozen=True)
class Processes:
    """Which process this is, and of how many; what they decide together.

    Attributes:
        rank: Counted from 0; the first one writes and speaks.
        count: Of all.
    """

    rank: int = 0
    count: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this process writes and speaks."""
        return self.rank == 0

    def check_batch_size(self, batch_size: int, accumulate: int) -> None:
        """Refuse a batch that cannot be divided among the processes, and in each into parts.

        Raises:
            SettingsError: Naming sizes that can.
        """
        parts = self.count * accumulate
        if batch_size % parts:
            below = batch_size // parts * parts
            raise SettingsError(
                f"--batch-size {batch_size} cannot be divided among {self.count} processes in "
                f"{accumulate} parts; choose {below + parts}" + (f" or {below}" if below else "")
            )

    def share_of_order(self, order: Sequence[int], batch_size: int) -> list[int]:
        """This process's part of each batch; together the processes see the batches of one."""
        own = batch_size // self.count
        first = self.rank * own
        starts = range(first, len(order), batch_size)
        return [index for start in starts for index in order[start : start + own]]

    def share(self, indices: Sequence[int]) -> list[int]:
        """This process's part of tiles to predict: no tile twice, none left out."""
        return list(indices[self.rank :: self.count])

    def any(self, flag: bool) -> bool:
        """Whether it is so in any process."""
        if self.count == 1:
            return flag
        value = torch.tensor(int(flag))
        distributed.all_reduce(value, distributed.ReduceOp.MAX)
        return bool(value.item())

    def gather(self, item: Item) -> list[Item]:
        """What each process has, in the order of their ranks."""
        if self.count == 1:
            return [item]
        items: list[Any] = [None] * self.count
        distributed.all_gather_object(items, item)
        return items

    def of_first(self, item: Item) -> Item:
        """What the first process has."""
        return self.gather(item)[0]

    def in_step(self, items: Iterable[Item]) -> Iterator[Item]:
        """Pass items on until any process has no more: a step needs all of them."""
        iterator = iter(items)
        while True:
            item = next(iterator, None)
            if self.any(item is None) or item is None:
                return
            yield item


ALONE = Processes()


def process_count() -> int:
    """How many `torchrun` started; one without it."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def process_rank() -> int:
    """Which of them this is, before they have joined."""
    return int(os.environ.get("RANK", "0"))


@contextmanager
def joined(device: str) -> Iterator[tuple[Processes, str]]:
    """Join the processes that `torchrun` started; alone without it.

    Args:
        device: As typed; each process of a machine gets a GPU of its own.

    Yields:
        The processes, and this one's device.

    Raises:
        HistoError: If another process died, or did not answer for ``TIMEOUT``.
    """
    count = process_count()
    if count == 1:
        yield ALONE, device
        return
    on_gpu = device.startswith("cuda") or (device == "auto" and torch.cuda.is_available())
    if on_gpu:
        device = f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
        torch.cuda.set_device(device)
    backend = "cpu:gloo,cuda:nccl" if on_gpu else "gloo"
    distributed.init_process_group(
        backend, store=_store(), rank=process_rank(), world_size=count, timeout=TIMEOUT
    )
    try:
        yield Processes(distributed.get_rank(), count), device
    except RuntimeError as error:
        if not isinstance(error, distributed.DistError) and not any(
            words in str(error) for words in LOST
        ):
            raise
        raise HistoError(
            f"lost another of the {count} processes of this training (it died, or was silent for "
            f"{TIMEOUT.total_seconds() / 60:.0f} minutes; its own message says why); run again with "
            "--resume, or let torchrun do so with --max-restarts"
        ) from error
    finally:
        distributed.destroy_process_group()


def _store() -> Any:
    """Where the processes find one another; nothing in it is of an earlier attempt.

    `torchrun` keeps one store for all attempts, in which the addresses of processes that died still stand:
    who asks too early meets nobody there. Each machine counts attempts for itself, so where there are
    several their counts may differ, and the store stays as it is.
    """
    from torch.distributed import PrefixStore  # type: ignore[attr-defined] # not in its stubs
    from torch.distributed.rendezvous import rendezvous

    store, _, _ = next(rendezvous("env://", timeout=TIMEOUT))
    if os.environ.get("LOCAL_WORLD_SIZE") != os.environ["WORLD_SIZE"]:
        return store
    return PrefixStore(f"attempt-{os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}", store)
