import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from histocli.errors import InputError
from histocli.report.collect import all_runs, collect_comparison, collect_run, newest_run
from histocli.report.run_summary import Epoch, best_epoch
from histocli.run_record import RunRecord
from tests.report.conftest import MakeRun


def test_a_complete_run_is_read_whole(make_run: MakeRun) -> None:
    run = make_run()
    summary = collect_run(run)
    assert summary.name == "first"
    assert summary.missing == {}
    assert summary.classes == ("normal", "tumor")
    assert summary.model is not None
    assert summary.model.temperature == 1.2
    assert [epoch.epoch for epoch in summary.history] == [1, 2, 3]
    assert summary.best_epoch is not None
    assert summary.best_epoch.epoch == 2  # as recorded, not the highest of the history
    assert [each.split for each in summary.evaluations] == ["valid", "test"]
    assert summary.headline is summary.evaluation("test")
    test = summary.evaluations[1]
    assert test.predictions is not None
    assert len(test.predictions.tiles) == test.metrics["tiles"]
    assert {path.name for path in test.figures} == {
        "roc.png",
        "precision_recall.png",
        "confusion_matrix.png",
        "calibration.png",
    }


def test_a_run_that_has_just_begun_needs_only_its_record(tmp_path: Path) -> None:
    RunRecord("train", {"arch": "resnet18"}).write(tmp_path / "begun")
    summary = collect_run(tmp_path / "begun")
    assert set(summary.missing) == {"model", "history", "evaluations", "explanation"}
    assert "histo evaluate" in summary.missing["evaluations"]
    assert "histo explain" in summary.missing["explanation"]
    assert summary.architecture == "resnet18"
    assert summary.headline is None
    assert summary.best_epoch is None


NAN = float("nan")


@pytest.mark.parametrize(
    ("measured", "kept"),
    [
        ([(0.8, 0.5), (0.9, 0.6), (0.7, 0.1)], 2),
        ([(1.0, 0.5), (1.0, 0.2), (1.0, 0.3)], 2),  # among equals the lower loss
        ([(NAN, 0.5), (NAN, 0.4)], 2),  # a class is absent from validation
        ([(NAN, NAN)], None),
    ],
)
def test_without_a_record_the_best_epoch_is_the_one_that_training_keeps(
    measured: list[tuple[float, float]], kept: int | None
) -> None:
    history = tuple(
        Epoch(number, 1e-3, 0.5, loss, auroc, 10.0, 1.0)
        for number, (auroc, loss) in enumerate(measured, 1)
    )
    best = best_epoch(history)
    assert (best.epoch if best else None) == kept


def test_an_evaluation_without_predictions_is_still_read(make_run: MakeRun) -> None:
    run = make_run()
    (run / "evaluation" / "test" / "predictions.csv").unlink()
    evaluation = collect_run(run).evaluation("test")
    assert evaluation is not None
    assert evaluation.predictions is None


def test_unknown_keys_are_tolerated(make_run: MakeRun) -> None:
    run = make_run()
    for name in ("best_model.json", "explanation/attention.json", "evaluation/test/metrics.json"):
        content = json.loads((run / name).read_text())
        (run / name).write_text(json.dumps({**content, "of the future": [1]}))
    assert collect_run(run).missing == {}


@pytest.mark.parametrize(
    "name",
    [
        "run.json",
        "best_model.json",
        "history.csv",
        "evaluation/test/metrics.json",
        "evaluation/test/predictions.csv",
        "explanation/attention.json",
    ],
)
@pytest.mark.parametrize("content", [b"", b"[1, 2]", b'{"a": 1', b"\xff\xfe\x00", b"epoch\n1\n"])
def test_a_damaged_file_is_named(make_run: MakeRun, name: str, content: bytes) -> None:
    run = make_run()
    (run / name).write_bytes(content)
    with pytest.raises(InputError, match=re.escape(Path(name).name)):
        collect_run(run)


@pytest.mark.parametrize("row", ["1,0.1,0.5", "1,0.1,0.5,x,0.9,10,1", "one,0.1,0.5,0.5,0.9,10,1"])
def test_a_damaged_row_of_the_history_is_not_skipped(make_run: MakeRun, row: str) -> None:
    run = make_run()
    path = run / "history.csv"
    path.write_text(f"{path.read_text()}{row}\n")
    with pytest.raises(InputError, match=r"history\.csv"):
        collect_run(run)


@pytest.mark.parametrize("key", ["metrics", "classes", "confusion_matrix"])
def test_metrics_without_their_substance_are_damaged(make_run: MakeRun, key: str) -> None:
    run = make_run()
    path = run / "evaluation" / "test" / "metrics.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, key: None}))
    with pytest.raises(InputError, match=key):
        collect_run(run)


def test_runs_are_sorted_by_start_and_then_by_name(tmp_path: Path) -> None:
    for name, command, started in (
        ("b", "train", "2026-01-02"),
        ("a", "train", "2026-01-02"),
        ("z", "train", "2026-01-01"),
        ("newest but no training", "normalize", "2026-01-03"),
    ):
        RunRecord(command, {}, started=started).write(tmp_path / name)
    (tmp_path / "comparisons").mkdir()
    (tmp_path / "a file").touch()
    assert [run.name for run in all_runs(tmp_path)] == ["z", "a", "b"]
    assert newest_run(tmp_path).name == "b"


def test_the_newest_run_is_not_a_control_where_there_is_another(tmp_path: Path) -> None:
    control = {"shuffle_labels": True}
    RunRecord("train", control, {}, started="2026-01-02").write(tmp_path / "control")
    assert newest_run(tmp_path).name == "control"
    RunRecord("train", {}, {}, started="2026-01-01").write(tmp_path / "model")
    assert newest_run(tmp_path).name == "model"


def test_a_comparison_is_found_whatever_the_order_of_its_runs(
    tmp_path: Path, make_run: MakeRun
) -> None:
    run = collect_run(make_run())
    a, b, c = (replace(run, name=name) for name in "abc")
    now = a.evaluations[-1].metrics["metrics"]["auroc"]["value"]
    for folder, runs, auroc in (
        ("a-b", ["a", "b"], 0.1),
        ("b-a", ["b", "a"], now),
        # Of two runs, the second of which is called b-c.
        ("a-b-c", ["a", "b-c"], now),
        ("other", ["a", "c"], now),
    ):
        (tmp_path / folder).mkdir()
        values = {name: {"auroc": auroc} for name in runs}
        content = {"runs": runs, "pairs": [], "split": "test", "values": values}
        (tmp_path / folder / "comparison.json").write_text(json.dumps(content))
    (tmp_path / "a-c").mkdir()
    (tmp_path / "a-c" / "comparison.json").write_text("damaged")
    # The one of the runs as they were evaluated last, though the other has the name.
    found = collect_comparison(tmp_path / "a-b", [a, b])
    assert found is not None
    assert found["runs"] == ["b", "a"]
    assert collect_comparison(tmp_path / "a-b-c", [a, b, c]) is None
    assert collect_comparison(tmp_path / "c-a", [c, a]) is not None
    assert collect_comparison(tmp_path / "a", [a]) is None
    with pytest.raises(InputError, match="damaged"):
        collect_comparison(tmp_path / "a-c", [a, c])


@pytest.mark.parametrize("folder", [".", "absent"])
def test_without_a_run_the_error_says_what_to_do(tmp_path: Path, folder: str) -> None:
    with pytest.raises(InputError, match="histo train"):
        newest_run(tmp_path / folder)
