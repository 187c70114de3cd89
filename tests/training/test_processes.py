"""Training by `torchrun`, as a user starts it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from histocli.errors import SettingsError
from histocli.predictions import Predictions
from histocli.training.processes import Processes

OPTIONS = (
    "--arch", "vit_test", "--weights", "none", "--epochs", "2", "--batch-size", "16",
    "--test-time-augmentation", "none", "--device", "cpu",
)  # fmt: skip


def torchrun(processes: int, data: Path, runs: Path, arch: str) -> subprocess.CompletedProcess[str]:
    options = [arch if option == "vit_test" else option for option in OPTIONS]
    command = [
        sys.executable, "-m", "torch.distributed.run", "--standalone",
        f"--nproc-per-node={processes}", "--module", "histocli",
        "train", str(data), *options, "--name", "run", "--runs", str(runs), "--json",
    ]  # fmt: skip
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=240, check=False
    )


@pytest.mark.parametrize(
    ("arch", "tolerance"),
    [
        ("test_vit", 2e-3),
        pytest.param("test_efficientnet", None, marks=pytest.mark.slow),
    ],
)
def test_two_processes_learn_what_one_does(
    phantom: Path, tmp_path: Path, arch: str, tolerance: float | None
) -> None:
    """Without batch norms the same to rounding; with them each process has statistics of its own."""
    finished = torchrun(2, phantom, tmp_path / "two", arch)
    assert finished.returncode == 0, finished.stderr
    facts = json.loads(finished.stdout)
    assert facts["epochs"] == 2
    one = subprocess.run(
        [sys.executable, "-m", "histocli", "train", str(phantom),
         *[arch if option == "vit_test" else option for option in OPTIONS],
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
