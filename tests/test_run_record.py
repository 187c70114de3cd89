import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from histocli.errors import InputError, SettingsError
from histocli.run_record import RunRecord


def test_a_record_reads_back_and_says_how_it_ended(tmp_path: Path) -> None:
    record = RunRecord("qc", {"threshold": 0.1}, {"source": {"sha256": "x"}}, seed=3)
    record.write(tmp_path)
    assert RunRecord.read(tmp_path).state == "running"
    record.finish(tmp_path, tiles=5)
    again = RunRecord.read(tmp_path)
    assert (again.state, again.results, again.seed) == ("done", {"tiles": 5}, 3)
    assert again.finished is not None
    assert "numpy" in again.packages


def test_only_the_same_work_is_continued(tmp_path: Path) -> None:
    earlier = RunRecord("qc", {"threshold": 0.1, "other": [1, 2]}, {})
    earlier.write(tmp_path)
    stored = RunRecord.read(tmp_path)
    RunRecord("qc", {"threshold": 0.1, "other": (1, 2)}, {}).check_continues(stored, tmp_path)
    with pytest.raises(SettingsError, match=r"threshold was 0\.1, now 0\.2"):
        RunRecord("qc", {"threshold": 0.2, "other": (1, 2)}, {}).check_continues(stored, tmp_path)


def test_an_absent_or_damaged_record_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not made by histo"):
        RunRecord.read(tmp_path)
    assert RunRecord.read_if_present(tmp_path) is None
    (tmp_path / "run.json").write_text('{"command": "qc"')
    with pytest.raises(InputError, match=r"run\.json: damaged"):
        RunRecord.read(tmp_path)


def write_changed(folder: Path, **changes: Any) -> None:
    record = RunRecord("train", {}, {"data": {"path": "data", "sha256": "x"}})
    (folder / "run.json").write_text(json.dumps({**asdict(record), **changes}))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"inputs": []}, "inputs must not be of the type list"),
        ({"inputs": {"source": 3}}, "the input source is no JSON object"),
        ({"inputs": {"data": {"path": 3}}}, "the input data: path must not be of the type int"),
        ({"inputs": {"data": {"slides": "x"}}}, "the input data: slides must not be"),
        ({"results": None}, "results must not be"),
        ({"settings": "x"}, "settings must not be"),
        ({"seed": True}, "seed must not be"),
        ({"seed": "1"}, "seed must not be"),
        ({"command": None}, "command must not be"),
        ({"state": "x"}, "its state is unknown"),
        ({"unheard_of": 1}, "unheard_of"),
    ],
)
def test_a_record_of_wrong_types_is_damaged(
    tmp_path: Path, changes: dict[str, Any], reason: str
) -> None:
    write_changed(tmp_path, **changes)
    with pytest.raises(InputError, match=rf"run\.json: damaged \(.*{reason}"):
        RunRecord.read(tmp_path)


@pytest.mark.parametrize("content", ["[]", "3", "null", '"text"'])
def test_what_is_no_object_is_damaged(tmp_path: Path, content: str) -> None:
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(InputError, match=r"run\.json: damaged \(it is no JSON object"):
        RunRecord.read(tmp_path)


def test_what_a_record_lacks_is_named_when_it_is_asked_for(tmp_path: Path) -> None:
    write_changed(tmp_path, inputs={})
    record = RunRecord.read(tmp_path)
    assert record.inputs.get("data") is None
    with pytest.raises(InputError, match=r"run\.json: damaged \(it lacks data\)"):
        record.inputs["data"]
    write_changed(tmp_path, inputs={"data": {}})
    with pytest.raises(InputError, match=r"run\.json: damaged \(it lacks path\)"):
        RunRecord.read(tmp_path).inputs["data"]["path"]
    record.write(tmp_path)
    assert RunRecord.read(tmp_path) == record
