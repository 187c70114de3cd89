"""Training by `torchrun`, as a user starts it."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import psutil
import pytest

from histocli.errors import SettingsError
from histocli.predictions import Predictions
from histocli.training.processes import Processes

OPTIONS = (
    "--arch", "vit_test", "--weights", "none", "--epochs", "2", "--batch-size", "16",
    "--test-time-augmentation", "none", "--device", "cpu",
)  # fmt: skip


def begin_torchrun(
    processes: int,
    data: Path,
    runs: Path,
    arch: str,
    *more: str,
    restarts: Sequence[str] = (),
) -> "subprocess.Popen[str]":
    options = [arch if option == "vit_test" else option for option in OPTIONS]
    command = [
        sys.executable, "-m", "torch.distributed.run", "--standalone",
        f"--nproc-per-node={processes}", *restarts, "--module", "histocli",
        "train", str(data), *options, *more, "--name", "run", "--runs", str(runs), "--json",
    ]  # fmt: skip
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def torchrun(
    processes: int, data: Path, runs: Path, arch: str, *more: str
) -> subprocess.CompletedProcess[str]:
    with begin_torchrun(processes, data, runs, arch, *more) as begun:
        out, printed = begun.communicate(timeout=240)
    return subprocess.CompletedProcess(begun.args, begun.returncode, out, printed)


@pytest.mark.parametrize(
    ("arch", "tolerance", "more"),
    [
        ("test_vit", 1e-5, ()),
        pytest.param(
            *("test_vit", 1e-5, ("--class-weights", "balanced", "--focal-gamma", "2")),
            marks=pytest.mark.slow,
        ),
        pytest.param("test_efficientnet", None, (), marks=pytest.mark.slow),
    ],
)
def test_two_processes_learn_what_one_does(
    phantom: Path, tmp_path: Path, arch: str, tolerance: float | None, more: tuple[str, ...]
) -> None:
    """Without batch norms the same to rounding; with them each process has statistics of its own."""
    if more:
        # Classes of different sizes, so that weights matter.
        data = tmp_path / "data"
        shutil.copytree(phantom, data)
        for tile in sorted((data / "train" / "tumor").iterdir())[::2]:
            tile.unlink()
    else:
        data = phantom
    finished = torchrun(2, data, tmp_path / "two", arch, *more)
    assert finished.returncode == 0, finished.stderr
    facts = json.loads(finished.stdout)
    assert facts["epochs"] == 2
    one = subprocess.run(
        [sys.executable, "-m", "histocli", "train", str(data),
         *[arch if option == "vit_test" else option for option in OPTIONS], *more,
         "--name", "run", "--runs", str(tmp_path / "one"), "--quiet"],
        env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert one.returncode == 0, one.stderr
    tables = [
        Predictions.read(tmp_path / side / "run" / "validation.csv") for side in ("one", "two")
    ]
    assert tables[0].tiles == tables[1].tiles
    assert len(set(tables[0].tiles)) == len(tables[0].tiles)
    if tolerance is not None:
        np.testing.assert_allclose(tables[1].probabilities, tables[0].probabilities, atol=tolerance)
    record = json.loads((tmp_path / "two" / "run" / "run.json").read_text())
    assert record["results"]["processes"] == 2
    assert record["state"] == "done"


def test_a_batch_that_cannot_be_divided_is_refused() -> None:
    with pytest.raises(SettingsError, match="choose 33 or 30"):
        Processes(0, 3).check_batch_size(32, 1)


@pytest.mark.slow
def test_a_process_that_is_killed_is_replaced_and_training_goes_on_from_its_last_state(
    phantom: Path, tmp_path: Path
) -> None:
    options = ("--epochs", "6", "--checkpoint-minutes", "0.0001")
    assert torchrun(2, phantom, tmp_path / "calm", "test_vit", *options).returncode == 0
    run = tmp_path / "disturbed" / "run"
    begun = begin_torchrun(
        2, phantom, run.parent, "test_vit", *options, restarts=("--max-restarts", "1")
    )
    try:
        first = wait_for_step(run, after=0)
        killed = time.monotonic()
        psutil.Process(rank_of(begun, 1)).kill()
        wait_for_step(run, after=first)
        seconds = time.monotonic() - killed
        _, printed = begun.communicate(timeout=240)
    finally:
        begun.kill()
    assert begun.returncode == 0, printed
    assert seconds < 30
    for name in ("best_model.safetensors", "validation.csv"):
        calm = (tmp_path / "calm" / "run" / name).read_bytes()
        assert (run / name).read_bytes() == calm, name


SILENT = """
import time
from datetime import timedelta
import typer
from histocli.cli.console import Terminal
from histocli.cli.failures import with_errors
from histocli.training import processes
# Enough to meet in, on a machine that others use too.
processes.TIMEOUT = timedelta(seconds=20)

def work():
    with processes.joined("cpu") as (joined, _):
        joined.gather(0)
        start = time.monotonic()
        try:
            if joined.rank:
                time.sleep(600)
            joined.any(False)
        finally:
            print(f"waited {time.monotonic() - start:.1f}", flush=True)

try:
    with_errors(Terminal(), work)
except typer.Exit as end:
    raise SystemExit(end.exit_code)
"""


@pytest.mark.slow
def test_a_process_that_hangs_ends_the_training_in_words_when_the_time_is_over(
    tmp_path: Path,
) -> None:
    script = tmp_path / "silent.py"
    script.write_text(SILENT)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    ended = subprocess.run(
        [*command, str(script)], capture_output=True, text=True, check=False, timeout=240
    )
    assert ended.returncode != 0
    assert "lost another of the 2 processes of this training" in " ".join(ended.stderr.split())
    assert 19 < float(ended.stdout.split("waited ")[1].split()[0]) < 60


def rank_of(begun: "subprocess.Popen[str]", rank: int) -> int:
    """Process number of a rank."""
    for child in psutil.Process(begun.pid).children(recursive=True):
        if child.environ().get("RANK") == str(rank):
            return child.pid
    raise AssertionError("no such rank")


def wait_for_step(run: Path, after: int) -> int:
    """Wait until more steps are saved than so many; how many."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            state = json.loads((run / "last.json").read_text())
        except (OSError, ValueError):
            state = {}
        steps = int(state.get("steps_done", 0))
        if steps > after:
            return steps
        time.sleep(0.05)
    raise AssertionError("no further step")
