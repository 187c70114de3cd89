"""`histo qc` as typed: settings, manifest, parts, and training with its table."""

import csv
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from histocli.cli.app import app
from histocli.data.phantom import write_phantom
from histocli.run_record import RunRecord


def histo(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def facts(*arguments: object) -> dict[str, object]:
    result = histo(*arguments, "--json")
    assert result.exit_code == 0, result.output
    found: dict[str, object] = json.loads(result.stdout)
    return found


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_phantom(tmp_path / "data", tiles=60, seed=3)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_threshold_is_an_option_and_stands_in_the_record(folder: Path) -> None:
    found = facts("qc", "data", "--minimum-sharpness", "0.9", "--near-duplicate-distance", "3")
    assert found["thresholds"]["minimum_sharpness"] == 0.9  # type: ignore[index] # a mapping
    settings = RunRecord.read(folder / "data-qc").settings
    assert (settings["minimum_sharpness"], settings["near_duplicate_distance"]) == (0.9, 3)
    again = histo("qc", "data")
    assert again.exit_code == 2
    assert "minimum_sharpness" in again.output


def test_fit_keeps_what_was_typed(folder: Path) -> None:
    found = facts("qc", "data", "--fit", "--maximum-blockiness", "0.5")["thresholds"]
    assert found["maximum_blockiness"] == 0.5  # type: ignore[index] # a mapping
    assert found["minimum_sharpness"] != 0.24  # type: ignore[index]
    assert RunRecord.read(folder / "data-qc").settings["fit"] is True


def test_apply_writes_a_data_set_beside_the_source(folder: Path) -> None:
    found = facts("qc", "data", "--apply")
    assert found["manifest"] == "data-passed.csv"
    described = facts("data", "describe", "data-passed.csv")
    assert described["tiles"] == found["passed"] == 55
    assert sorted((folder / "data").rglob("*.png"))
    # A finished check is read back, and the manifest written again.
    (folder / "data-passed.csv").unlink()
    facts("qc", "data", "--apply")
    assert (folder / "data-passed.csv").is_file()


def test_tasks_of_a_slurm_array_share_the_work(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = facts("qc", "data", "--output", "whole")
    for name, value in (("MIN", 0), ("MAX", 1), ("COUNT", 2)):
        monkeypatch.setenv(f"SLURM_ARRAY_TASK_{name}", str(value))
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "1")
    first = facts("qc", "data", "--output", "parts")
    assert first["missing_shards"] == ["1/2"]
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "0")
    last = facts("qc", "data", "--output", "parts")
    assert last["by_reason"] == whole["by_reason"]
    for name in ("qc.csv", "qc.json", "contact_sheet.png"):
        assert (folder / "parts" / name).read_bytes() == (folder / "whole" / name).read_bytes()


def test_a_shard_that_is_none_is_refused(folder: Path) -> None:
    result = histo("qc", "data", "--shard", "3/2")
    assert result.exit_code == 2
    assert "--shard 3/2" in result.output
    assert not (folder / "data-qc").exists()


def test_train_leaves_the_rejects_out(folder: Path) -> None:
    facts("qc", "data/train")
    small = (
        "--arch",
        "test_efficientnet",
        "--weights",
        "none",
        "--epochs",
        "1",
        "--batch-size",
        "8",
    )
    result = histo("train", "data", *small, "--qc", "data/train-qc/qc.csv", "--name", "clean")
    assert result.exit_code == 0, result.output
    assert "tiles left out of train" in result.output
    assert "not in data/train-qc/qc.csv: kept" in result.output
    with (folder / "data/train-qc/qc.csv").open(newline="") as file:
        rejects = sum(row["verdict"] == "fail" for row in csv.DictReader(file))
    record = RunRecord.read(folder / "runs" / "clean")
    assert record.inputs["qc"]["left_out"] == {"train": rejects, "valid": 0}
    other = histo("train", "data", *small, "--qc", "absent.csv")
    assert other.exit_code == 3
