"""Rejects stay out of training and validation, and in the test."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from histocli.data.layouts import open_source
from histocli.errors import SettingsError
from histocli.models.classifier import StainChoice
from histocli.run_record import RunRecord
from histocli.training.api import TrainOutcome
from histocli.training.dataset import TrainingData, open_training_data

Train = Callable[..., TrainOutcome]


def write_table(path: Path, data: Path, rejects: dict[str, tuple[str, str]]) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["tile", "verdict", "reasons", "kept_instead"])
        for tile in open_source(data).tiles:
            reason, kept = rejects.get(tile.id, ("", ""))
            writer.writerow([tile.id, "fail" if reason else "pass", reason, kept])
    return path


def opened(data: Path, qc: Path | None, said: list[str]) -> TrainingData:
    return open_training_data(data, 0, StainChoice("none", "torchstain"), said.append, qc=qc)


def tiles_of(data: TrainingData, split: Any) -> set[str]:
    return {data.tiles[index].id for index in data.splits[split].indices}


def test_rejects_leave_train_and_valid_but_not_test(phantom: Path, tmp_path: Path) -> None:
    whole = opened(phantom, None, [])
    first = {split: min(tiles_of(whole, split)) for split in ("train", "valid", "test")}
    qc = write_table(tmp_path / "qc.csv", phantom, dict.fromkeys(first.values(), ("blur", "")))
    said: list[str] = []
    data = opened(phantom, qc, said)
    for split in ("train", "valid"):
        assert tiles_of(data, split) == tiles_of(whole, split) - {first[split]}
    assert tiles_of(data, "test") == tiles_of(whole, "test")
    train = len(tiles_of(whole, "train"))
    assert f"qc: 1 of {train} tiles left out of train (blur 1)" in said
    assert "qc: 1 reject kept in test: a model will meet such tiles in practice" in said
    assert data.qc["left_out"] == {"train": 1, "valid": 1}
    assert data.qc["kept_in_test"] == 1


def test_what_the_test_has_a_copy_of_is_not_trained_on(phantom: Path, tmp_path: Path) -> None:
    whole = opened(phantom, None, [])
    kept, copy = sorted(tiles_of(whole, "train"))[3], sorted(tiles_of(whole, "test"))[3]
    qc = write_table(tmp_path / "qc.csv", phantom, {copy: ("near_duplicate", kept)})
    data = opened(phantom, qc, [])
    assert kept not in tiles_of(data, "train")
    assert copy in tiles_of(data, "test")


def test_the_run_records_it_and_resumes_with_it(
    train: Train, phantom: Path, tmp_path: Path
) -> None:
    reject = min(tiles_of(opened(phantom, None, []), "train"))
    qc = write_table(tmp_path / "qc.csv", phantom, {reject: ("pen", "")})

    outcome = train(options={"qc": qc}, epochs=1)
    record = RunRecord.read(outcome.run)
    assert record.inputs["qc"]["path"] == str(qc.resolve())
    assert record.inputs["qc"]["left_out"] == {"train": 1, "valid": 0}
    without = train("other", epochs=1)
    counts = [
        sum(RunRecord.read(run).results["splits"]["train"].values())
        for run in (outcome.run, without.run)
    ]
    assert counts[0] == counts[1] - 1

    content = json.loads((outcome.run / "run.json").read_text())
    content["state"] = "stopped"
    (outcome.run / "run.json").write_text(json.dumps(content))
    resumed = train(resume=True)
    assert RunRecord.read(resumed.run).inputs["qc"] == record.inputs["qc"]


def test_a_table_of_other_data_stops_the_run(train: Train, tmp_path: Path) -> None:
    (tmp_path / "qc.csv").write_text("tile,verdict,reasons\nnobody.png,pass,\n")
    with pytest.raises(SettingsError, match="does not fit"):
        train(options={"qc": tmp_path / "qc.csv"})
    assert not (tmp_path / "runs" / "run").exists()
