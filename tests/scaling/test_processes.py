"""Shards in processes that are killed, crash, or are stopped."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from shard_tasks import CheckingQuality, Counting, Dying, crash, silent_begin, wrong_input

from histocli.data.layouts import open_source
from histocli.data.loading import read_skipped
from histocli.data.shards import Shard
from histocli.data.verdicts import read_verdicts
from histocli.errors import HistoError, InputError
from histocli.preparation.job import open_job, run_job
from histocli.scaling.processes import run_in_processes
from tests.preparation.conftest import everything
from tests.preparation.test_shared_folder import job, run

SHARDS = Shard().divided(2)


def test_each_shard_has_a_process_and_results_keep_their_order(
    tmp_path: Path, said: list[str]
) -> None:
    results = run_in_processes(Counting(tmp_path), SHARDS, silent_begin, said.append)
    assert [number for number, _ in results] == [1, 2]
    assert len({os.getpid(), *(process for _, process in results)}) == 3
    assert sorted(said) == ["shard 1/2: 0 were done", "shard 2/2: 0 were done"]


def test_a_killed_process_is_replaced_and_its_shard_continued(
    tmp_path: Path, marks: Path, said: list[str]
) -> None:
    task = Dying(Counting(tmp_path), SHARDS[1], marks, after=4)
    run_in_processes(task, SHARDS, silent_begin, said.append)
    rows = [line.split() for line in (tmp_path / "2.txt").read_text().splitlines()]
    assert [int(number) for number, _ in rows] == list(range(10))
    assert len({process for _, process in rows}) == 2
    assert "warning: shard 2/2 died of signal SIGKILL; another process continues it" in said
    assert "shard 2/2: 4 were done" in said


def test_a_shard_of_which_every_process_dies_ends_the_others(
    tmp_path: Path, marks: Path, said: list[str]
) -> None:
    task = Dying(Counting(tmp_path), SHARDS[0], marks, times=9)
    with pytest.raises(HistoError, match=r"shard 1/2: 2 processes died of it, .* SIGKILL"):
        run_in_processes(task, SHARDS, silent_begin, said.append, attempts=2)


def test_an_expected_error_is_not_tried_again_and_ends_the_others(said: list[str]) -> None:
    started = time.monotonic()
    with pytest.raises(InputError, match="2/2: no such folder"):
        run_in_processes(wrong_input, SHARDS, silent_begin, said.append)
    assert time.monotonic() - started < 60
    assert not [line for line in said if line.startswith("warning")]


def test_a_surprise_is_tried_again_and_then_named(said: list[str]) -> None:
    with pytest.raises(HistoError, match="the last of ValueError: unforeseen"):
        run_in_processes(crash, SHARDS[:1], silent_begin, said.append, attempts=2)
    assert said == [
        "warning: shard 1/2 died of ValueError: unforeseen; another process continues it"
    ]


def test_a_file_that_crashes_its_decoder_is_listed_and_the_others_are_done(
    tiles: Path, tmp_path: Path, said: list[str]
) -> None:
    at = 37
    name = open_source(tiles).tiles[at].id
    task = CheckingQuality(tiles, tmp_path / "qc", at)
    run_in_processes(task, SHARDS, silent_begin, said.append)
    (line,) = said
    assert line.startswith(
        "warning: shard 2/2 died of signal SIGSEGV; another process continues it"
    )
    assert line.endswith(", having each tile read apart")
    skipped = {tile.id: tile.reason for tile in read_skipped(tmp_path / "qc")}
    # The phantom has one tile that is cut short.
    assert len(skipped) == 2
    assert skipped[name] == "its decoder crashed (SIGSEGV)"
    assert len(read_verdicts(tmp_path / "qc" / "qc.csv")) == 60


@pytest.mark.slow
def test_tiles_are_those_of_one_process_after_a_worker_was_killed(
    tiles: Path, tmp_path: Path, marks: Path, said: list[str]
) -> None:
    run(tiles, tmp_path / "whole", "folder", Shard())
    parts = tmp_path / "parts"
    task = Dying(partial(run_job, open_job(job(tiles, parts))), SHARDS[1], marks, after=8)
    results = run_in_processes(task, SHARDS, silent_begin, said.append)
    assert min(len(result.missing) for result in results) == 0
    assert [line for line in said if "SIGKILL" in line]
    assert everything(parts) == everything(tmp_path / "whole")


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [2.5, 4.0, 5.5, 7.0])
def test_a_command_that_is_killed_with_its_workers_at_work_continues(
    tiles: Path, tmp_path: Path, seconds: float
) -> None:
    run(tiles, tmp_path / "whole", "folder", Shard())
    parts = tmp_path / "parts"
    command = [sys.executable, "-m", "histocli", "normalize", str(tiles), "--output", str(parts)]
    command += ["--processes", "2", "--batch-size", "2", "--device", "cpu", "--quiet"]
    with subprocess.Popen(command) as process:
        time.sleep(seconds)
        process.kill()
    assert subprocess.run(command, check=False).returncode == 0
    assert everything(parts) == everything(tmp_path / "whole")


def _children(process: int) -> list[int]:
    """Processes whose parent this is, but for the tracker of shared memory."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            line = (folder / "cmdline").read_text()
        except OSError:
            continue
        if parent == process and "spawn_main" in line:
            found.append(int(folder.name))
    return found


def _wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 75), (signal.SIGKILL, -9)])
def test_the_workers_end_with_the_first_process(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    script = (
        "from histocli.cli.console import Terminal\n"
        "from histocli.cli.failures import with_errors\n"
        "from histocli.data.shards import Shard\n"
        "from histocli.scaling.processes import run_in_processes\n"
        "from shard_tasks import Endless, silent_begin\n"
        "if __name__ == '__main__':\n"
        "    import typer\n"
        "    try:\n"
        "        with_errors(Terminal(), run_in_processes, Endless(), Shard().divided(2),"
        " silent_begin, print)\n"
        "    except typer.Exit as end:\n"
        "        raise SystemExit(end.exit_code)\n"
    )
    (tmp_path / "first.py").write_text(script)
    here = str(Path(__file__).parent)
    command = [sys.executable, str(tmp_path / "first.py")]
    environment = {**os.environ, "PYTHONPATH": here}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as first:
        assert first.stdout is not None
        lines = {first.stdout.readline(), first.stdout.readline()}
        assert lines == {"shard 1/2: working\n", "shard 2/2: working\n"}
        workers = _children(first.pid)
        assert len(workers) == 2
        first.send_signal(number)
        assert first.wait(60) == code
        _wait(lambda: not any(Path(f"/proc/{worker}").exists() for worker in workers))
