"""The examples run as they stand, offline, on data that they make."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from histocli.data.layouts import open_source
from histocli.data.phantom import write_phantom
from histocli.models.checkpoint import save_model
from histocli.models.classifier import ModelCard, TileClassifier
from histocli.models.preprocessing import PreprocessingConstants
from histocli.run_record import RunRecord

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
# What the scripts leave to the settings is made small; what they say themselves stays.
SMALL = {
    "HISTO_TRAIN__WEIGHTS": "none",
    "HISTO_TRAIN__EPOCHS": "1",
    "HISTO_TRAIN__INPUT_SIZE_PX": "32",
    "HISTO_TRAIN__TEST_TIME_AUGMENTATION": "none",
    "HISTO_EVALUATE__BOOTSTRAP_SAMPLES": "100",
    "HISTO_EXPLAIN__PICTURES": "2",
    "HISTO_DEMO__TILES": "120",
    "HF_HUB_OFFLINE": "1",
}


def run(command: list[str], folder: Path, **environment: str) -> str:
    scripts = Path(sys.executable).parent
    path = f"{scripts}{os.pathsep}{os.environ['PATH']}"
    result = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PATH": path, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.mark.parametrize("layout", ["pcam", "kaggle"])
def test_phantoms_have_the_layout_of_the_data_set(layout: str, tmp_path: Path) -> None:
    command = [
        sys.executable,
        str(EXAMPLES / "phantom_layouts.py"),
        layout,
        "data",
        "--tiles",
        "60",
    ]
    run(command, tmp_path)
    source = open_source(tmp_path / "data")
    assert source.layout == {"pcam": "patchcamelyon", "kaggle": "kaggle"}[layout]
    assert len(source.tiles) == 60
    assert source.read(0).shape == (96, 96, 3)


def test_the_python_example_runs(tmp_path: Path) -> None:
    write_phantom(tmp_path / "data", tiles=60)
    constants = PreprocessingConstants(32, (0.5, 0.4, 0.3), (0.2, 0.25, 0.3))
    card = ModelCard("test_efficientnet", ("normal", "tumor"), "tumor", constants)
    torch.manual_seed(0)
    save_model(tmp_path / "run", TileClassifier(card), card)
    printed = run([sys.executable, str(EXAMPLES / "python_api.py"), "run", "data"], tmp_path)
    assert "60 tiles (class-folders), 12 to test" in printed
    assert "normalized: 12 of 12" in printed
    assert "AUROC of tumor: " in printed


@pytest.mark.slow
@pytest.mark.parametrize("name", ["pcam", "kaggle", "multiclass"])
def test_scripts_run_on_the_data_that_they_make_and_again_without_training(
    name: str, tmp_path: Path
) -> None:
    command = ["bash", str(EXAMPLES / f"{name}.sh"), "", "work"]
    last = run(command, tmp_path, **SMALL).strip().splitlines()[-1]
    made = Path(last.partition(": ")[2])
    assert made.is_file()
    (folder,) = (tmp_path / "work" / "runs").glob("*/run.json")
    record = RunRecord.read(folder.parent)
    run(command, tmp_path, **SMALL)
    assert RunRecord.read(folder.parent) == record
    if name == "kaggle":
        with made.open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert len(rows) == len(list((tmp_path / "work" / "data" / "test").iterdir()))
        assert all(0 <= float(row["label"]) <= 1 for row in rows)


@pytest.mark.slow
def test_the_quickstart_runs_as_it_stands(tmp_path: Path) -> None:
    small = {name: value for name, value in SMALL.items() if "EPOCHS" not in name}
    printed = run(["bash", str(EXAMPLES / "quickstart.sh")], tmp_path, **small)
    assert (tmp_path / "demo" / "runs" / "demo" / "report.html").is_file()
    assert "The report: " in printed
