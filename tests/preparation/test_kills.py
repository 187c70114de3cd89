"""SIGKILL at any moment."""

import pickle
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from histocli.data.shards import Shard
from tests.preparation.conftest import everything
from tests.preparation.test_full_disk import files_of
from tests.preparation.test_shared_folder import job, run

KILLS = 20
COPIES = 15
WORK = """
import pickle, sys
import numpy as np
from histocli.data.shards import Shard
from histocli.preparation.job import open_job, run_job
from histocli.stain import MacenkoNormalizer
MacenkoNormalizer().normalize(np.full((1, 3, 9, 9), 99, np.uint8))
opened = open_job(pickle.loads(bytes.fromhex(sys.argv[1])))
print("ready", flush=True)
run_job(opened, Shard(), lambda *_: lambda number: None)
"""


@pytest.fixture(scope="module")
def many(tiles: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiles of one split, several times, so that there is time to be killed in."""
    folder = tmp_path_factory.mktemp("kills") / "data"
    for number in range(COPIES):
        for name in ("normal", "tumor"):
            shutil.copytree(tiles / "train" / name, folder / name / str(number))
    return folder


def begin(command: Sequence[str]) -> "subprocess.Popen[str]":
    """A process that is ready to work."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.slow
# Twenty processes begin, one after the other, on a machine that may be busy with others.
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("to", ["folder", "npz"])
def test_killed_at_any_moment_a_run_ends_with_the_bytes_of_an_undisturbed_one(
    many: Path, tmp_path: Path, to: str
) -> None:
    def command(output: Path) -> list[str]:
        return [sys.executable, "-c", WORK, pickle.dumps(job(many, output, to)).hex()]

    with begin(command(tmp_path / "whole")) as process:
        start = time.perf_counter()
        assert process.wait() == 0
        seconds = time.perf_counter() - start
    whole = everything(tmp_path / "whole")
    moments = random.Random(0)
    unfinished = 0
    for number in range(KILLS):
        output = tmp_path / str(number)
        with begin(command(output)) as process:
            time.sleep(moments.uniform(0, seconds))
            process.kill()
        for name, content in files_of(output).items():
            assert name == "run.json" or content == whole[name], name
        result = run(many, output, to, Shard())
        unfinished += result.already_done < result.tiles
        found = everything(output)
        assert sorted(found) == sorted(whole)
        for name, content in found.items():
            assert content == whole[name], name
        shutil.rmtree(output)
    # Most moments are before the end, however unevenly the machine works.
    assert unfinished > KILLS // 4
