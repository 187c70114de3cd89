"""Several processes on one output folder: locks and shards."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from histocli.data.layouts import open_source
from histocli.data.shards import Shard
from histocli.data.stores import STORES
from histocli.preparation.job import NormalizeJob, open_job, run_job
from histocli.preparation.output import NormalizeResult
from tests.preparation.conftest import Histo, everything

HOLD = """
import sys, time
from pathlib import Path
from histocli.data.shards import parse_shard
from histocli.data.shared_output import SharedOutput
with SharedOutput(Path(sys.argv[1]), parse_shard(sys.argv[2])) as shared:
    if sys.argv[3:]:
        shared.begin_part()
    print("held", flush=True)
    time.sleep(600)
"""


@contextmanager
def held(output: Path, shard: str, *, begun: bool = False) -> Iterator["subprocess.Popen[str]"]:
    """Another process that holds a part, and has begun to work on it."""
    command = [sys.executable, "-c", HOLD, str(output), shard, *["begun"] * begun]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()


def job(source: Path, output: Path, to: str = "folder") -> NormalizeJob:
    return NormalizeJob(
        source=source,
        output=output,
        method="macenko",
        convention="torchstain",
        backend="auto",
        reference=None,
        context="tile",
        fit=False,
        image="normalized",
        to=to,
        device="cpu",
        batch_size=8,
        workers=2,
        seed=0,
        strict=False,
    )


class Killed(BaseException):
    pass


def run(source: Path, output: Path, to: str, shard: Shard, kill_after: int = -1) -> NormalizeResult:
    done = 0

    def advance(number: int) -> None:
        nonlocal done
        done += number
        if 0 <= kill_after <= done:
            raise Killed

    return run_job(open_job(job(source, output, to)), shard, lambda *_: advance)


def test_the_second_process_on_a_folder_is_told_so_and_a_killed_one_is_no_hindrance(
    tiles: Path, tmp_path: Path, histo: Histo
) -> None:
    output = tmp_path / "out"
    with held(output, "1/1") as process:
        refused = histo(tiles / "valid", "--output", output, code=2)
        assert str(output) in refused["error"]
        assert "wait until that has ended" in refused["error"]
        sharded = histo(tiles / "valid", "--output", output, "--shard", "1/2", code=2)
        assert "as a whole" in sharded["error"]
        assert sorted(path.name for path in output.iterdir()) == [
            ".lock",
            ".shard-1-of-1.lock",
        ]
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert histo(tiles / "valid", "--output", output)["tiles"] > 0


def test_shards_exclude_only_themselves_and_other_numbers_of_shards(
    tiles: Path, tmp_path: Path, histo: Histo
) -> None:
    output = tmp_path / "out"
    with held(output, "1/2"):
        assert "shard 1/2" in histo(tiles, "-o", output, "--shard", "1/2", code=2)["error"]
        assert "in 2 shards" in histo(tiles, "-o", output, "--shard", "1/3", code=2)["error"]
        assert "in 2 shards" in histo(tiles, "-o", output, code=2)["error"]
        assert histo(tiles, "-o", output, "--shard", "2/2")["missing_shards"] == ["1/2"]
        assert "1 of 2 shards are still missing: 1/2" in histo.said
    assert histo(tiles, "-o", output, "--shard", "1/2")["missing_shards"] == []


def test_a_folder_of_somebody_else_gets_no_lock(tiles: Path, tmp_path: Path, histo: Histo) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "note.txt").write_text("keep")
    assert "did not write" in histo(tiles, "-o", tmp_path / "mine", code=2)["error"]
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["note.txt"]


@pytest.mark.parametrize("to", STORES)
@pytest.mark.parametrize("order", [(1, 2, 3), (3, 1, 2)])
def test_shards_in_any_order_killed_and_resubmitted_give_the_bytes_of_one_process(
    tiles: Path, tmp_path: Path, to: str, order: Sequence[int]
) -> None:
    run(tiles, tmp_path / "whole", to, Shard())
    parts = tmp_path / "parts"
    with pytest.raises(Killed):
        run(tiles, parts, to, Shard(2, 3), kill_after=8)
    results = [run(tiles, parts, to, Shard(number, 3)) for number in order]
    assert [len(result.missing) for result in results] == [2, 1, 0]
    assert results[-1].tiles == len(open_source(tiles).tiles)
    assert sum(result.tiles for result in results[:2]) < results[-1].tiles
    assert everything(parts) == everything(tmp_path / "whole")
    # One that comes again finds all done.
    again = run(tiles, parts, to, Shard(1, 3))
    assert (again.missing, again.by_status) == ((), results[-1].by_status)
    assert everything(parts) == everything(tmp_path / "whole")


@pytest.mark.parametrize("to", STORES)
def test_a_run_goes_on_in_another_number_of_shards(tiles: Path, tmp_path: Path, to: str) -> None:
    run(tiles, tmp_path / "whole", to, Shard())
    parts = tmp_path / "parts"
    run(tiles, parts, to, Shard(1, 3))
    with pytest.raises(Killed):
        run(tiles, parts, to, Shard(3, 3), kill_after=8)
    run(tiles, parts, to, Shard(2, 2))
    result = run(tiles, parts, to, Shard())
    assert result.already_done > result.tiles * 2 // 3
    assert everything(parts) == everything(tmp_path / "whole")


@pytest.mark.parametrize("option", [("--context", "tile,group,dataset"), ("--fit",)])
def test_all_shards_share_the_stain_of_the_whole_data_set(
    tiles: Path, tmp_path: Path, histo: Histo, option: Sequence[str]
) -> None:
    histo(tiles, "-o", tmp_path / "whole", *option)
    for number in (2, 1, 3):
        histo(tiles, "-o", tmp_path / "parts", "--shard", f"{number}/3", *option)
    assert everything(tmp_path / "parts") == everything(tmp_path / "whole")


def test_the_stain_of_the_data_set_is_found_once(
    tiles: Path, tmp_path: Path, histo: Histo, monkeypatch: pytest.MonkeyPatch
) -> None:
    histo(tiles, "-o", tmp_path / "out", "--shard", "1/2", "--fit")

    def never(*_: object, **__: object) -> None:
        raise AssertionError("estimated again")

    monkeypatch.setattr("histocli.preparation.stain_context.find_context", never)
    monkeypatch.setattr("histocli.data.shared_output.content_hash", never)
    assert histo(tiles, "-o", tmp_path / "out", "--shard", "2/2", "--fit")["missing_shards"] == []


def test_overwrite_in_shards_begins_anew_once(tiles: Path, tmp_path: Path, histo: Histo) -> None:
    output = tmp_path / "out"
    histo(tiles, "-o", output)
    before = everything(output)
    options = ("-o", output, "--convention", "cucim", "--overwrite", "--shard")
    assert histo(tiles, *options, "1/2")["missing_shards"] == ["2/2"]
    assert histo(tiles, *options, "2/2")["missing_shards"] == []
    histo(tiles, "-o", tmp_path / "whole", "--convention", "cucim")
    assert everything(output) == everything(tmp_path / "whole") != before
    with held(output, "1/2", begun=True):
        refused = histo(tiles, "-o", output, "--overwrite", "--shard", "2/2", code=2)
    assert "another process" in refused["error"]


def test_strict_is_decided_by_the_shard_that_completes(
    tiles: Path, tmp_path: Path, histo: Histo
) -> None:
    for number in (1, 2, 3):
        histo(tiles, "-o", tmp_path / "out", "--shard", f"{number}/4", "--strict")
    failed = histo(tiles, "-o", tmp_path / "out", "--shard", "4/4", "--strict", code=4)
    assert "could not be read" in failed["error"]


def test_an_array_of_slurm_shards_by_itself(
    tiles: Path, tmp_path: Path, histo: Histo, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("MIN", 1), ("MAX", 2), ("COUNT", 2), ("STEP", 1)):
        monkeypatch.setenv(f"SLURM_ARRAY_TASK_{name}", str(value))
    for task in (1, 2):
        monkeypatch.setenv("SLURM_ARRAY_TASK_ID", str(task))
        facts = histo(tiles, "-o", tmp_path / "out")
        assert facts["shard"] == f"{task}/2"
        assert "from SLURM's array" in histo.said
    assert facts["missing_shards"] == []
    facts = histo(tiles, "-o", tmp_path / "other", "--shard", "1/1")
    assert facts["shard"] == "1/1"


def test_shards_side_by_side_as_processes(tiles: Path, tmp_path: Path) -> None:
    run(tiles, tmp_path / "whole", "npz", Shard())
    parts = tmp_path / "parts"
    command = [sys.executable, "-m", "histocli", "normalize", str(tiles), "--output", str(parts)]
    options = ["--to", "npz", "--device", "cpu", "--quiet", "--shard"]
    commands = [[*command, *options, f"{number}/3"] for number in (1, 2, 3)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    started = [subprocess.Popen(command, env=environment) for command in commands]
    assert [process.wait() for process in started] == [0, 0, 0]
    assert everything(parts) == everything(tmp_path / "whole")
