"""SIGKILL, SIGTERM and SIGUSR1 at any moment of a training."""

import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest

from histocli.errors import StoppedError
from histocli.run_record import RunRecord

KILLS = 10
# Says "ready" when everything slow is imported; waits for its arguments, so that it can be kept at hand.
WORK = """
import json, sys
import sklearn.linear_model, timm, torch
import histocli.training.api, histocli.training.use, histocli.metrics.evaluate
from histocli.cli.app import app
torch.set_num_threads(1)
print("ready", flush=True)
app(json.loads(sys.stdin.readline()))
"""
OPTIONS = (
    "--arch", "test_efficientnet", "--weights", "none", "--epochs", "3", "--batch-size", "8",
    "--input-size-px", "32", "--test-time-augmentation", "d4", "--checkpoint-minutes", "0.0001",
    "--device", "cpu", "--workers", "1", "--quiet",
)  # fmt: skip
# From the signal to the end of the process.
STOPPED_WITHIN_S = 5
RESULTS = ("best_model.safetensors", "best_model.json", "validation.csv", "splits.csv", "test.csv")


def begin() -> "subprocess.Popen[str]":
    """A process that is ready to work."""
    process = subprocess.Popen(
        [sys.executable, "-c", WORK], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def tell(process: "subprocess.Popen[str]", arguments: Sequence[object]) -> None:
    assert process.stdin is not None
    process.stdin.write(json.dumps([str(each) for each in arguments]) + "\n")
    process.stdin.flush()


def histo(*arguments: object) -> None:
    with begin() as process:
        tell(process, arguments)
        assert process.wait() == 0, arguments


def train_arguments(data: Path, runs: Path, name: str) -> list[object]:
    return ["train", data, *OPTIONS, "--runs", runs, "--name", name]


def steps_done(run: Path) -> int:
    """Steps of the state that a training last saved."""
    try:
        return int(json.loads((run / "last.json").read_text())["steps_done"])
    except FileNotFoundError:
        return 0


def wait_for_steps(run: Path, process: "subprocess.Popen[str]", steps: int) -> float:
    """Wait until a training has saved so many steps, or its end; for how long."""
    start = time.perf_counter()
    while steps_done(run) < steps and process.poll() is None:
        time.sleep(0.01)
    return time.perf_counter() - start


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_killed_at_any_moment_a_training_ends_with_the_bytes_of_an_undisturbed_one(
    phantom: Path, tmp_path: Path
) -> None:
    train = partial(train_arguments, phantom, tmp_path)

    def predicted(name: str) -> dict[str, bytes]:
        run = tmp_path / name
        histo("predict", run, phantom / "test", "--output", run / "test.csv", "--quiet")
        assert not list(run.glob(".*.tmp-*"))
        return {each: (run / each).read_bytes() for each in RESULTS}

    with begin() as process:
        tell(process, train("whole"))
        before_state = wait_for_steps(tmp_path / "whole", process, 1)
        assert process.wait() == 0
    all_steps = steps_done(tmp_path / "whole")
    whole = predicted("whole")
    moments = random.Random(0)
    continued = 0
    for number in range(KILLS):
        name = f"killed-{number}"
        with begin() as process:
            tell(process, train(name))
            # Every other one before anything is saved or soon after, the others when there is a state.
            if number % 2:
                time.sleep(moments.uniform(0, 1.5 * before_state))
            else:
                wait_for_steps(tmp_path / name, process, moments.randrange(1, all_steps))
                time.sleep(moments.uniform(0, 0.1))
            process.kill()
        run = tmp_path / name
        record = RunRecord.read_if_present(run)
        if record is None:
            histo(*train(name))
        elif record.state != "done":
            continued += (run / "last.json").exists()
            histo(*train(name), "--resume")
        assert predicted(name) == whole, name
    # However unevenly the machine works.
    assert continued > KILLS // 4


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_told_to_stop_a_training_saves_and_ends_within_seconds(
    phantom: Path, tmp_path: Path
) -> None:
    train = partial(train_arguments, phantom, tmp_path)

    histo(*train("whole"))
    expected = {name: (tmp_path / "whole" / name).read_bytes() for name in RESULTS[:-1]}
    all_steps = steps_done(tmp_path / "whole")
    moments = random.Random(1)
    ended = []
    for number, told in enumerate([signal.SIGTERM, signal.SIGUSR1] * 3):
        name = f"stopped-{number}"
        with begin() as process:
            tell(process, train(name))
            # The last: after all steps, while operating point and calibration are chosen.
            steps = all_steps if number > 3 else moments.randrange(1, all_steps)
            wait_for_steps(tmp_path / name, process, steps)
            time.sleep(moments.uniform(0, 0.05))
            start = time.perf_counter()
            process.send_signal(told)
            ended.append(process.wait())
            assert time.perf_counter() - start < STOPPED_WITHIN_S
        if ended[-1] != 0:
            assert ended[-1] == StoppedError.exit_code
            assert steps_done(tmp_path / name) >= steps
            histo(*train(name), "--resume")
        found = {each: (tmp_path / name / each).read_bytes() for each in RESULTS[:-1]}
        assert found == expected, name
    # One may have ended before it was told.
    assert ended.count(StoppedError.exit_code) >= len(ended) - 2
