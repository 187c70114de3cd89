"""One attempt at a shard: what a second one does differently."""

from pathlib import Path

import pytest
from shard_tasks import BusyOnce, Counting, silent_begin

from histocli.data.shards import Shard
from histocli.errors import BusyOutputError
from histocli.scaling import attempt as attempts
from histocli.scaling.attempt import ShardTask, attempt


def run(task: ShardTask, *, first: bool, overwrite: bool = False) -> object:
    return attempt(
        task, Shard(1, 2), first=first, overwrite=overwrite, begin=silent_begin, say=lambda _: None
    )


def test_only_the_first_attempt_begins_anew(tmp_path: Path) -> None:
    run(Counting(tmp_path), first=True)
    lines = (tmp_path / "1.txt").read_text()
    (tmp_path / "1.txt").write_text("kept\n" + lines)
    run(Counting(tmp_path), first=False, overwrite=True)
    assert (tmp_path / "1.txt").read_text() == "kept\n" + lines
    run(Counting(tmp_path), first=True, overwrite=True)
    assert (tmp_path / "1.txt").read_text() == lines


def test_a_later_attempt_waits_for_the_lock_that_a_dead_process_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempts, "SECONDS_BETWEEN_TRIES", 0.01)
    monkeypatch.setattr(attempts, "SECONDS_FOR_THE_FIRST", 0.0)
    with pytest.raises(BusyOutputError):
        run(BusyOnce(tmp_path), first=True)
    (tmp_path / "busy-1").unlink()
    assert run(BusyOnce(tmp_path), first=False) is True
