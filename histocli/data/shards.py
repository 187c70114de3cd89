"""Parts of a table of tiles that processes, or tasks of a cluster, work on side by side."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from histocli.errors import SettingsError

TASK = "SLURM_ARRAY_TASK_ID"
FIRST = "SLURM_ARRAY_TASK_MIN"
LAST = "SLURM_ARRAY_TASK_MAX"
COUNT = "SLURM_ARRAY_TASK_COUNT"
STEP = "SLURM_ARRAY_TASK_STEP"
# Missing parts that the status line names.
NAMED = 8


@dataclass(frozen=True, order=True)
class Shard:
    """One of so many parts; ``Shard()`` is the whole.

    Attributes:
        number: From 1.
        of: How many there are.
    """

    number: int = 1
    of: int = 1

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    @property
    def is_whole(self) -> bool:
        """Whether it is the only one."""
        return self.of == 1

    def part(self, total: int, step: int = 1) -> range:
        """Its tiles: a run of the table that depends on nothing but these numbers.

        Args:
            total: Tiles in the table.
            step: Parts begin at its multiples, so that batches of this size are those of one process.
        """
        blocks = -(-total // step)
        start, stop = (
            blocks * number // self.of * step for number in (self.number - 1, self.number)
        )
        return range(min(start, total), min(stop, total))

    def divided(self, count: int) -> list["Shard"]:
        """The same part as so many smaller ones."""
        before = (self.number - 1) * count
        return [Shard(before + number, self.of * count) for number in range(1, count + 1)]

    def siblings(self) -> list["Shard"]:
        """All parts, itself among them."""
        return [Shard(number, self.of) for number in range(1, self.of + 1)]


def parse_shard(text: str) -> Shard:
    """``3/8`` as typed.

    Raises:
        SettingsError: If it is no such thing.
    """
    found = re.fullmatch(r"\s*(\d+)\s*/\s*(\d+)\s*", text)
    shard = Shard(int(found[1]), int(found[2])) if found else Shard(0, 0)
    if not 1 <= shard.number <= shard.of:
        raise SettingsError(f"--shard {text}: write I/N with I from 1 to N, for example 3/8")
    return shard


def shard_of_slurm(environment: Mapping[str, str]) -> Shard | None:
    """The part of this task of a SLURM array; None outside one.

    Raises:
        SettingsError: If the array's numbers do not say which of its tasks this is.
    """
    if TASK not in environment:
        return None
    try:
        task, first = int(environment[TASK]), int(environment.get(FIRST, "0"))
        last, step = int(environment.get(LAST, task)), int(environment.get(STEP, "1"))
        count = int(environment.get(COUNT, "1"))
    except ValueError:
        raise SettingsError("SLURM's array variables are no numbers; pass --shard I/N") from None
    if step < 1 or (last - first) // step + 1 != count or (task - first) % step:
        raise SettingsError(
            f"SLURM's array has {count} tasks from {first} to {last}, which leaves open which part is "
            f"task {task}'s; pass --shard, for example --shard {task}/N of an array 1-N"
        )
    return Shard((task - first) // step + 1, count)


def choose_shard(typed: str | None, environment: Mapping[str, str]) -> tuple[Shard, str | None]:
    """What was asked for, else SLURM's part, else all; and what to say where nobody asked.

    Raises:
        SettingsError: If what was asked for, or the array, cannot be understood.
    """
    if typed is not None:
        return parse_shard(typed), None
    shard = shard_of_slurm(environment)
    if shard is None or shard.is_whole:
        return Shard(), None
    return shard, f"shard {shard}, from SLURM's array; --shard 1/1 would take all tiles"


def describe_missing(missing: Sequence[Shard]) -> str:
    """The status line of a part: which others have to finish before the output is whole."""
    names = ", ".join(str(shard) for shard in missing[:NAMED])
    more = f" and {len(missing) - NAMED} more" if len(missing) > NAMED else ""
    return (
        f"{len(missing)} of {missing[0].of} shards are still missing: {names}{more}; "
        "the last to finish completes the output"
    )
