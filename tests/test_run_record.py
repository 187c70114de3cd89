from pathlib import Path

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
