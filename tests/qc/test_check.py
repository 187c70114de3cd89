"""The whole check: what it writes, how it continues, what it refuses."""

import csv
import json
import shutil
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from histocli.data.layouts import open_source
from histocli.data.phantom import PHANTOM_SCANNERS, phantom_tile
from histocli.data.writing import write_tile
from histocli.errors import InputError, SettingsError, SkippedInputsError
from histocli.qc.measures import QC_MEASURES
from histocli.qc.result import TABLE_COLUMNS, QCResult
from histocli.qc.thresholds import Thresholds
from histocli.run_record import RunRecord

JOURNAL_NAME = ".journal.jsonl"
Check = Callable[..., QCResult]
RESULTS = ("qc.csv", "qc.json", "contact_sheet.png", "skipped.csv")
REASON_OF_FAULT = {
    "blank": "background",
    "blur": "blur",
    "duplicate": "duplicate",
    "black": "black_edge",
    "truncated": "unreadable",
}


def rows_of(result: QCResult) -> dict[str, dict[str, str]]:
    with result.table.open(newline="") as file:
        return {row["tile"]: row for row in csv.DictReader(file)}


def results_in(folder: Path) -> dict[str, bytes]:
    sheets = [f"contact_sheets/{path.name}" for path in folder.glob("contact_sheets/*")]
    return {
        name: (folder / name).read_bytes()
        for name in (*RESULTS, *sheets)
        if (folder / name).exists()
    }


def test_each_planted_fault_is_found_and_nothing_else(phantom: Path, checked: QCResult) -> None:
    tiles, rows = open_source(phantom).tiles, rows_of(checked)
    failed = {name for name, row in rows.items() if row["verdict"] == "fail"}
    faulty = {tile.id: tile.extra["fault"] for tile in tiles if tile.extra["fault"]}
    spared = {name for name, fault in faulty.items() if fault != "duplicate"}
    assert spared <= failed
    for name in spared:
        assert REASON_OF_FAULT[faulty[name]] in rows[name]["reasons"].split(";")
    # Of the two identical tiles the first by name is kept, which may be the planted one.
    others = failed - spared
    assert len(others) == 1
    assert rows[others.pop()]["reasons"] == "duplicate"
    assert checked.content["duplicate_sets"] == 1


def test_table_has_one_row_a_tile_and_one_column_a_measure(
    phantom: Path, checked: QCResult
) -> None:
    rows = rows_of(checked)
    assert list(rows) == [tile.id for tile in open_source(phantom).tiles]
    for row in rows.values():
        assert tuple(row) == TABLE_COLUMNS
        assert (row["verdict"] == "pass") == (row["reasons"] == "")
        if row["reasons"] == "unreadable":
            assert all(row[name] == "" for name in QC_MEASURES)
        else:
            assert 0 <= float(row["brightness"]) <= 1
    blank = next(row for row in rows.values() if row["reasons"].endswith("background"))
    assert blank["sharpness"] == ""


def test_summary_counts_and_follows_its_schema(checked: QCResult) -> None:
    content = json.loads((checked.output / "qc.json").read_text())
    schema = json.loads((files("histocli") / "schemas" / "qc.schema.json").read_text())
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(content)
    assert content == checked.content
    assert (checked.tiles, checked.passed, checked.failed) == (60, 55, 5)
    assert checked.by_reason == {
        "background": 1,
        "black_edge": 1,
        "blur": 1,
        "constant": 2,
        "dark": 1,
        "duplicate": 1,
        "unreadable": 1,
    }
    assert {name: counts["tiles"] for name, counts in content["by_class"].items()} == {
        "normal": 30,
        "tumor": 30,
    }
    assert content["leaks"] == []
    assert content["groups_across_splits"] == {}


def test_files_are_where_the_result_says(checked: QCResult) -> None:
    assert checked.contact_sheet == checked.output / "contact_sheet.png"
    assert checked.skipped == checked.output / "skipped.csv"
    assert not (checked.output / JOURNAL_NAME).exists()
    record = RunRecord.read(checked.output)
    assert (record.state, record.results["failed"]) == ("done", 5)
    assert checked.to_json()["contact_sheet"] == str(checked.contact_sheet)


@pytest.mark.parametrize(("batch_size", "workers"), [(1, 1), (7, 3), (500, 2)])
def test_batch_size_and_workers_change_no_byte(
    batch_size: int, workers: int, phantom: Path, checked: QCResult, check: Check, tmp_path: Path
) -> None:
    done: list[int] = []
    check(phantom, tmp_path / "o", batch_size=batch_size, workers=workers, progress=done.append)
    assert results_in(tmp_path / "o") == results_in(checked.output)
    assert sum(done) == 60


class Killed(BaseException):
    """Stands for the end of the process."""


@pytest.mark.parametrize("cut", [0, 1, 150, 700, 4000, -1, -60])
def test_a_killed_check_continues_and_ends_with_the_same_bytes(
    cut: int, phantom: Path, checked: QCResult, check: Check, tmp_path: Path
) -> None:
    seen = 0

    def kill_after(tiles: int) -> None:
        nonlocal seen
        seen += tiles
        if seen >= 40:
            raise Killed

    with pytest.raises(Killed):
        check(phantom, tmp_path, batch_size=8, progress=kill_after)
    journal = tmp_path / JOURNAL_NAME
    content = journal.read_bytes()
    journal.write_bytes(content[:cut] if cut else b"")
    assert RunRecord.read(tmp_path).state == "running"

    done: list[int] = []
    check(phantom, tmp_path, batch_size=16, progress=done.append)
    assert results_in(tmp_path) == results_in(checked.output)
    assert sum(done) == 60
    assert done[0] == content[:cut].count(b"\n") if cut else done[0] == 0


def test_a_finished_check_is_read_back(
    phantom: Path, check: Check, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = check(phantom, tmp_path / "o")

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("computed again")

    monkeypatch.setattr("histocli.qc.check.load_batches", refuse)
    again = check(phantom, tmp_path / "o")
    assert again == first
    with pytest.raises(SkippedInputsError):
        check(phantom, tmp_path / "o", strict=True)


def test_other_thresholds_are_refused_unless_told_to_overwrite(
    phantom: Path, check: Check, tmp_path: Path
) -> None:
    check(phantom, tmp_path / "o")
    severe = Thresholds(minimum_sharpness=50.0)
    with pytest.raises(SettingsError, match="minimum_sharpness"):
        check(phantom, tmp_path / "o", severe)
    result = check(phantom, tmp_path / "o", severe, overwrite=True)
    assert result.by_reason["blur"] > 50
    assert result.content["thresholds"]["minimum_sharpness"] == 50.0


def test_overwrite_leaves_no_file_of_the_earlier_check(
    phantom: Path, check: Check, tmp_path: Path
) -> None:
    source = tmp_path / "data"
    shutil.copytree(phantom, source)
    check(source, tmp_path / "o")
    for tile in open_source(source).tiles:
        if tile.extra["fault"]:
            (source / tile.id).unlink()
    result = check(source, tmp_path / "o", overwrite=True)
    assert result.failed == 0
    assert (result.contact_sheet, result.skipped) == (None, None)
    assert set(results_in(tmp_path / "o")) == {"qc.csv", "qc.json"}


def test_a_folder_of_something_else_is_refused(phantom: Path, check: Check, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    for overwrite in (False, True):
        with pytest.raises(SettingsError, match="did not write"):
            check(phantom, tmp_path, overwrite=overwrite)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_strict_writes_the_files_and_raises(phantom: Path, check: Check, tmp_path: Path) -> None:
    with pytest.raises(SkippedInputsError, match=r"1 of 60"):
        check(phantom, tmp_path / "o", strict=True)
    assert set(results_in(tmp_path / "o")) >= set(RESULTS)


def test_nothing_readable_is_no_usable_input(check: Check, tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        (tmp_path / "data").mkdir(exist_ok=True)
        (tmp_path / "data" / name).write_bytes(b"no image")
    with pytest.raises(InputError, match="none of the 2 tiles"):
        check(tmp_path / "data", tmp_path / "o")


def test_leaks_contradictions_and_torn_groups_are_told(
    phantom: Path, check: Check, tmp_path: Path
) -> None:
    source = tmp_path / "data"
    shutil.copytree(phantom, source)
    tiles = [tile for tile in open_source(source).tiles if not tile.extra["fault"]]
    original = next(tile for tile in tiles if tile.split == "train" and tile.label == "tumor")
    copies = ["test/tumor/copy.png", "train/normal/copy.png"]
    for copy in copies:
        shutil.copy(source / original.id, source / copy)
    with (source / "labels.csv").open("a") as table:
        table.write(f"{copies[0]},tumor,{original.group},test,,,,,\n")
    content = check(source, tmp_path / "o").content
    identical = next(found["tiles"] for found in content["leaks"])
    assert set(copies) | {original.id} <= set(identical)
    assert content["leaks"][0]["splits"] == ["test", "train"]
    assert content["leaks"][0]["kind"] == "identical"
    assert content["contradictory_labels"] == 1
    assert content["contradictory_label_sets"] == [identical]
    assert content["groups_across_splits"] == {original.group: ["test", "train"]}
    assert len(content["warnings"]) == 3
    rows = rows_of(QCResult.read(tmp_path / "o"))
    # Nobody can say which of the labels is right.
    assert rows[identical[0]]["reasons"] == "contradictory_label"
    assert identical[0] == "test/tumor/copy.png"
    for copy in identical[1:]:
        assert rows[copy]["reasons"] == "contradictory_label;duplicate"
        assert rows[copy]["kept_instead"] == identical[0]


def test_tiles_of_different_sizes_and_no_labels_are_checked(check: Check, tmp_path: Path) -> None:
    for number, size_px in enumerate((64, 96, 64, 80)):
        generator = np.random.default_rng(number)
        tile = phantom_tile("normal", PHANTOM_SCANNERS["beta"], generator, size_px)
        write_tile(tmp_path / "data" / f"{number}.png", tile.pixels)
    result = check(tmp_path / "data", tmp_path / "o")
    assert (result.passed, result.content["by_class"]) == (4, {})


def test_a_damaged_result_says_what_to_do(phantom: Path, check: Check, tmp_path: Path) -> None:
    check(phantom, tmp_path / "o")
    (tmp_path / "o" / "qc.json").write_text("{")
    with pytest.raises(InputError, match="--overwrite"):
        check(phantom, tmp_path / "o")
