"""A check in parts: the same bytes as in one process, in any order, after a kill."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from histocli.data.shards import Shard
from histocli.errors import SettingsError
from histocli.qc.result import QCResult
from histocli.qc.thresholds import Thresholds

Check = Callable[..., QCResult]


class Killed(BaseException):
    """Stands for the end of the process."""


def results_in(folder: Path) -> dict[str, bytes]:
    """All files but the record, which says when they were made, and hidden ones."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "run.json" and not path.name.startswith(".")
    }


@pytest.mark.parametrize("order", [(1, 2, 3), (3, 1, 2)])
def test_parts_end_with_the_bytes_of_one_process(
    order: tuple[int, ...], phantom: Path, checked: QCResult, check: Check, tmp_path: Path
) -> None:
    for number in order[:-1]:
        part = check(phantom, tmp_path / "o", shard=Shard(number, 3))
        assert Shard(order[-1], 3) in part.missing
        assert not (tmp_path / "o" / "qc.csv").exists()
    last = check(phantom, tmp_path / "o", shard=Shard(order[-1], 3))
    assert not last.missing
    assert last.content == checked.content
    assert results_in(tmp_path / "o") == results_in(checked.output)
    assert not list((tmp_path / "o").glob(".journal*"))


def test_a_killed_part_continues(
    phantom: Path, checked: QCResult, check: Check, tmp_path: Path
) -> None:
    def kill(tiles: int) -> None:
        if tiles:
            raise Killed

    with pytest.raises(Killed):
        check(phantom, tmp_path, shard=Shard(2, 2), batch_size=8, progress=kill)
    assert check(phantom, tmp_path, shard=Shard(1, 2)).missing == [Shard(2, 2)]
    done: list[int] = []
    check(phantom, tmp_path, shard=Shard(2, 2), batch_size=8, progress=done.append)
    assert 0 < done[0] < 30
    assert results_in(tmp_path) == results_in(checked.output)


def test_a_check_goes_on_in_another_number_of_parts(
    phantom: Path, checked: QCResult, check: Check, tmp_path: Path
) -> None:
    check(phantom, tmp_path, shard=Shard(1, 3))
    done: list[int] = []
    check(phantom, tmp_path, progress=done.append)
    assert done[0] == 20
    assert results_in(tmp_path) == results_in(checked.output)


def test_parts_of_different_settings_are_refused(
    phantom: Path, check: Check, tmp_path: Path
) -> None:
    check(phantom, tmp_path, shard=Shard(1, 2))
    with pytest.raises(SettingsError, match="minimum_sharpness"):
        check(phantom, tmp_path, Thresholds(minimum_sharpness=0.5), shard=Shard(2, 2))


def test_a_tile_that_can_be_read_later_is_read_on_the_next_try(
    phantom: Path, check: Check, tmp_path: Path
) -> None:
    source = tmp_path / "data"
    shutil.copytree(phantom, source)
    tile = next(path for path in sorted(source.rglob("*.png")) if path.stat().st_size > 9000)
    content = tile.read_bytes()
    tile.write_bytes(content[:500])
    check(source, tmp_path / "o", shard=Shard(1, 2))
    check_two = Shard(2, 2)
    tile.write_bytes(content)
    check(source, tmp_path / "o", shard=Shard(1, 2))
    result = check(source, tmp_path / "o", shard=check_two)
    assert result.by_reason["unreadable"] == 1
