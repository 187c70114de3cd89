"""The wheel installs, and works outside the checkout."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built without a network: what builds it is installed already."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder)]
    subprocess.run([*command, str(ROOT)], check=True, capture_output=True, cwd=folder)
    (built,) = folder.glob("*.whl")
    return built


def tracked_data_files() -> set[str]:
    """Everything in the package that is no Python code."""
    package = ROOT / "histocli"
    kinds = {".py", ".pyc", ".nbi", ".nbc"}
    files = (path for path in package.rglob("*") if path.is_file() and path.suffix not in kinds)
    return {path.relative_to(ROOT).as_posix() for path in files}


def test_the_wheel_holds_every_file_that_is_read_at_run_time(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    data = tracked_data_files()
    assert {
        "histocli/py.typed",
        "histocli/report/template.html",
        "histocli/stain/kernels/macenko.cu",
        "histocli/schemas/metrics.schema.json",
    } <= data
    assert data <= names
    assert not any(name.startswith(("tests/", "examples/", "benchmarks/")) for name in names)


def test_the_wheel_works_outside_the_checkout(wheel: Path, tmp_path: Path) -> None:
    place, work = tmp_path / "site", tmp_path / "work"
    work.mkdir()
    install = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--quiet"]
    subprocess.run([*install, "--target", str(place), str(wheel)], check=True, capture_output=True)
    environment = {**os.environ, "PYTHONPATH": str(place), "HF_HUB_OFFLINE": "1"}

    def python(*arguments: str) -> str:
        # Not the folder that this test runs in: the installed package alone.
        command = [sys.executable, "-P", *arguments]
        result = subprocess.run(
            command, cwd=work, env=environment, capture_output=True, text=True, check=False
        )
        assert result.returncode == 0, result.stderr
        return result.stdout

    assert Path(python("-c", "import histocli; print(histocli.__file__)").strip()).is_relative_to(
        place
    )
    small = ["--arch", "test_efficientnet", "--weights", "none", "--input-size-px", "32"]
    steps = [
        ["demo", "data", "--tiles", "60"],
        ["normalize", "data/train"],
        ["qc", "data/train"],
        ["train", *small, "--epochs", "1", "--name", "first", "--test-time-augmentation", "none"],
        ["evaluate", "--bootstrap-samples", "100"],
        ["explain", "--tiles", "4", "--pictures", "2"],
        ["report"],
    ]
    for step in steps:
        python("-m", "histocli", *step)
    assert (work / "runs" / "first" / "report.html").is_file()
    assert json.loads(python("-m", "histocli", "doctor", "--json"))["ok"]
