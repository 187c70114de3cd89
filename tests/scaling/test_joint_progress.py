"""Several shards, one bar."""

from histocli.data.shards import Shard
from histocli.scaling.attempt import Advance
from histocli.scaling.joint_progress import JointProgress

ONE, TWO = Shard(1, 2), Shard(2, 2)


def test_tiles_of_all_shards_of_a_stage_are_added_up_and_a_second_attempt_counts_once() -> None:
    bars: list[list[object]] = []

    def begin(stage: str, total: int) -> Advance:
        bars.append([stage, total, 0])

        def advance(number: int) -> None:
            bars[-1][2] += number  # type: ignore[operator] # a number

        return advance

    progress = JointProgress(begin)
    progress.begin(ONE, "reading", 10)
    progress.advance(ONE, 4)
    progress.begin(TWO, "reading", 20)
    progress.advance(TWO, 5)
    assert bars[-1] == ["reading", 30, 9]
    # The process of shard 2 died; the next one finds 3 of its tiles done.
    progress.begin(TWO, "reading", 20)
    progress.advance(TWO, 3)
    assert bars[-1] == ["reading", 30, 7]
    progress.begin(ONE, "writing", 10)
    progress.advance(TWO, 17)
    assert bars[-1] == ["writing", 10, 0]
    progress.begin(TWO, "writing", 20)
    progress.advance(TWO, 1)
    assert bars[-1] == ["writing", 30, 1]
