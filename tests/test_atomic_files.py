import errno
import json
from pathlib import Path

import pytest

from histocli.atomic_files import atomic_path, write_csv, write_json, write_text
from histocli.data.writing import Journal
from histocli.errors import HistoError


def write_and_raise(path: Path, error: Exception) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text("half")
        raise error


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    write_text(path, "old")
    with pytest.raises(RuntimeError):
        write_and_raise(path, RuntimeError())
    assert path.read_text() == "old"
    assert [found.name for found in tmp_path.iterdir()] == ["table.csv"]


def test_a_full_disk_is_said_as_such(tmp_path: Path) -> None:
    with pytest.raises(HistoError, match="the disk is full"):
        write_and_raise(tmp_path / "x", OSError(errno.ENOSPC, "No space left on device"))
    assert not list(tmp_path.iterdir())


def test_floats_keep_every_digit_and_nan_is_null(tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", ["x", "y"], [[0.1 + 0.2, None]])
    assert (tmp_path / "a.csv").read_bytes() == b"x,y\n0.30000000000000004,\n"
    write_json(tmp_path / "a.json", {"a": float("nan"), "b": [1.5, float("inf")]})
    assert json.loads((tmp_path / "a.json").read_text()) == {"a": None, "b": [1.5, None]}


@pytest.mark.parametrize("cut", range(0, 70, 3))
def test_a_journal_cut_anywhere_loses_no_whole_line(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "journal"
    with Journal(path) as journal:
        journal.append([{"tile": "a", "n": 1}, {"tile": "b", "n": 2}, {"tile": "c", "n": 3}])
    content = path.read_bytes()[:cut]
    path.write_bytes(content)
    with Journal(path) as journal:
        assert len(journal.entries) == content.count(b"\n")
        journal.append([{"tile": "d", "n": 4}])
    with Journal(path) as journal:
        assert list(journal.entries)[-1] == "d"
        assert len(journal.entries) == content.count(b"\n") + 1
