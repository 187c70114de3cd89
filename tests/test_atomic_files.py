import errno
import json
import os
import socket
from pathlib import Path

import pytest

from histocli.atomic_files import (
    atomic_path,
    remove_abandoned,
    remove_temporary_files,
    temporary_name,
    write_csv,
    write_json,
    write_text,
)
from histocli.data.writing import Journal
from histocli.errors import HistoError, SettingsError


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


def test_no_device_is_replaced_and_a_link_stays(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SettingsError, match="pipe is no regular file"):
        write_text(tmp_path / "pipe", "new")
    assert (tmp_path / "pipe").is_fifo()
    write_text(tmp_path / "real.html", "old")
    (tmp_path / "link.html").symlink_to("real.html")
    write_text(tmp_path / "link.html", "new")
    assert (tmp_path / "link.html").is_symlink()
    assert (tmp_path / "real.html").read_text() == "new"


def test_a_full_disk_is_said_as_such(tmp_path: Path) -> None:
    with pytest.raises(HistoError, match="the disk is full"):
        write_and_raise(tmp_path / "x", OSError(errno.ENOSPC, "No space left on device"))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["a.csv", None])
def test_only_what_the_dead_of_this_machine_left_is_removed(
    tmp_path: Path, name: str | None
) -> None:
    host = socket.gethostname()
    # No process has a number beyond the largest there can be.
    dead = tmp_path / f".a.csv.tmp-{host}-99999999"
    kept = [
        tmp_path / f".a.csv.tmp-{host}-{os.getpid()}",
        tmp_path / ".a.csv.tmp-another-host-99999999",
        tmp_path / f"a.csv.tmp-{host}-99999999",
    ]
    other = tmp_path / "below" / f".b.csv.tmp-{host}-99999999"
    other.parent.mkdir()
    for path in (dead, other, *kept):
        path.write_text("half")
    remove_abandoned(tmp_path, name)
    assert not dead.exists()
    assert all(path.exists() for path in kept)
    assert other.exists() == (name is not None)
    assert temporary_name(tmp_path / "a.csv") == kept[0]
    remove_temporary_files(tmp_path)
    assert [path for path in kept if path.exists()] == kept[2:]


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
