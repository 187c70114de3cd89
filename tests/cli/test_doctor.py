"""`histo doctor`."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from histocli.cli.app import app
from histocli.doctor.finding import Finding, note, ok, problem


def pretend(monkeypatch: pytest.MonkeyPatch, *findings: Finding) -> None:
    monkeypatch.setattr("histocli.doctor.CHECKS", {"pretended": lambda _: list(findings)})


def test_a_machine_without_a_gpu_is_healthy(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["doctor", "--folder", str(tmp_path), "--json"])
    facts = json.loads(result.stdout)
    assert result.exit_code == 0, result.output
    assert facts["ok"]
    assert {"status", "subject", "message", "advice", "check"} == set(facts["findings"][0])
    assert not list(tmp_path.iterdir())


def test_a_problem_is_told_with_what_to_do_and_exits_with_1(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pretend(monkeypatch, ok("a", "good"), problem("b", "broken", "repair it"))
    result = CliRunner().invoke(app, ["doctor"])
    assert result.exit_code == 1
    assert "→ repair it" in result.stdout
    assert "1 to repair" in result.stdout


@pytest.mark.parametrize("package", ["torch", "numpy"])
def test_a_broken_package_is_told_and_does_not_end_the_examination(
    package: str, tmp_path: Path
) -> None:
    (tmp_path / f"{package}.py").write_text("raise ImportError('libc10.so: undefined symbol')")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-m", "histocli", "doctor", "--json"]
    result = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 1, result.stderr
    findings = json.loads(result.stdout)["findings"]
    broken = [each for each in findings if "undefined symbol" in each["message"]]
    assert broken
    assert all(each["status"] == "problem" for each in broken)
    assert any(each["subject"] == "space" for each in findings)


def test_what_is_merely_absent_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, note("gpu", "none"))
    assert CliRunner().invoke(app, ["doctor"]).exit_code == 0
