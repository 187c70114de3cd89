"""`histo bench`."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from histocli.cli.app import app

QUICK = [
    "--arch",
    "test_efficientnet",
    "--input-size-px",
    "32",
    "--tiles",
    "16",
    "--seconds",
    "0.01",
]


def test_without_a_source_synthetic_tiles_are_measured_and_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["bench", *QUICK, "--json"])
    assert result.exit_code == 0, result.output
    facts = json.loads(result.stdout)
    assert [each["command"] for each in facts["bottlenecks"]] == ["normalize", "predict"]
    assert all(each["tiles_per_second"] > 0 for each in facts["rates"])
    assert not list(tmp_path.iterdir())


def test_a_source_that_is_not_there_is_an_input_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["bench", "nowhere", *QUICK])
    assert result.exit_code == 3
    assert "nowhere" in result.stderr
