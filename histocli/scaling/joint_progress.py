"""The progress of several shards as one bar."""

from dataclasses import dataclass

from histocli.data.shards import Shard
from histocli.scaling.attempt import Advance, Begin


@dataclass
class _Done:
    """Where one shard is."""

    stage: str
    total: int
    done: int = 0


def _nothing(number: int) -> None:
    """Before the first stage nothing advances."""
    del number


class JointProgress:
    """Adds up what shards report of the stage that the last of them came to.

    Args:
        begin: Called with each stage and its number of tiles; again when another shard joins it.
    """

    def __init__(self, begin: Begin) -> None:
        self._begin = begin
        self._shards: dict[Shard, _Done] = {}
        self._stage: str | None = None
        self._advance: Advance = _nothing

    def begin(self, shard: Shard, stage: str, total: int) -> None:
        """A shard begins a stage, perhaps for the second time."""
        self._shards[shard] = _Done(stage, total)
        self._stage = stage
        joined = [one for one in self._shards.values() if one.stage == stage]
        self._advance = self._begin(stage, sum(one.total for one in joined))
        self._advance(sum(one.done for one in joined))

    def advance(self, shard: Shard, number: int) -> None:
        """A shard did so many tiles more of its stage."""
        here = self._shards[shard]
        here.done += number
        if here.stage == self._stage:
            self._advance(number)
