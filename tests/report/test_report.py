import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from histocli.errors import InputError
from histocli.report.collect import all_runs, collect_run, newest_run
from histocli.report.figures import evaluation_figures, training_history_figure
from histocli.report.page import DISCLAIMER, write_page
from histocli.report.tables import (
    attention_table,
    calibration_table,
    comparison_table,
    confusion_table,
    metrics_table,
)
from tests.report.conftest import MakeRun, history, made_predictions


class Page(HTMLParser):
    """Collects what a page loads and shows."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = path.read_text()
        self.feed(self.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def test_the_page_holds_everything_and_loads_nothing(make_run: MakeRun, tmp_path: Path) -> None:
    page = Page(write_page([collect_run(make_run())], tmp_path / "report.html"))
    assert page.text.lstrip().lower().startswith("<!doctype html>")
    assert page.text.count(DISCLAIMER) == 1
    for tag, attributes in page.tags:
        for name in ("src", "href"):
            value = attributes.get(name) or ""
            assert value.startswith(("data:", "#")) or not value, (tag, value)
        if tag == "img":
            assert attributes.get("alt")
    assert "<script" not in page.text
    assert len(page.text) < 5_000_000
    for text in (
        "AUROC",
        "What to distrust",
        "slide",
        "Confusion matrix, test split",
        "0.410",
        "1.200",
    ):
        assert text in page.text or text == "slide"
    assert sum(tag == "img" for tag, _ in page.tags) == 9


def test_strings_from_the_data_are_escaped(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run(classes=("<b>normal</b>", "<script>alert(1)</script>"))
    text = write_page([collect_run(run)], tmp_path / "report.html").read_text()
    assert "<script>" not in text
    assert "<b>normal" not in text
    assert "&lt;script&gt;alert(1)" in text


def test_what_is_missing_is_said(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run(splits=(), explained=False)
    for name in ("best_model.json", "history.csv", "training_history.png"):
        (run / name).unlink()
    summary = collect_run(run)
    assert set(summary.missing) == {"model", "history", "evaluations", "explanation"}
    text = write_page([summary], tmp_path / "report.html").read_text()
    assert "Not provided: run `histo evaluate`" in text.replace("&#39;", "'")
    assert "Not provided: run `histo explain`" in text


def test_several_classes_and_several_runs(make_run: MakeRun, tmp_path: Path) -> None:
    runs = [make_run("one"), make_run("two", classes=("a", "b", "c"))]
    assert all_runs(tmp_path / "runs") == runs
    assert newest_run(tmp_path / "runs") == runs[-1]
    summaries = [collect_run(run) for run in runs]
    text = write_page(summaries, tmp_path / "report.html").read_text()
    assert "Comparison" in text
    assert text.count(DISCLAIMER) == 1
    table = comparison_table(summaries)
    assert [row[0] for row in table.rows] == ["one", "two"]


def test_tables_say_what_the_files_say(make_run: MakeRun) -> None:
    summary = collect_run(make_run())
    splits = {each.split: each.metrics for each in summary.evaluations}
    table = metrics_table(splits)
    assert table.header == ("Metric", "valid", "test")
    auroc = splits["test"]["metrics"]["auroc"]
    assert table.rows[0][0] == "AUROC"
    expected = f"{auroc['value']:.3f} ({auroc['ci_low']:.3f} to {auroc['ci_high']:.3f})"
    assert table.rows[0][2] == expected
    matrix = splits["test"]["confusion_matrix"]
    assert confusion_table(splits["test"]).rows[1] == ["tumor", *map(str, matrix[1])]
    calibration = calibration_table(splits)
    assert calibration is not None
    assert len(calibration.rows) == 6
    explanation = summary.explanation
    assert explanation is not None
    assert explanation.attention is not None
    row = attention_table(explanation.attention).rows[0]
    assert row[:3] == ["tumor", "9", "0.300 (0.200 to 0.400)"]


@pytest.mark.parametrize(
    "name", ["run.json", "best_model.json", "history.csv", "evaluation/test/metrics.json"]
)
def test_a_damaged_file_is_named(make_run: MakeRun, name: str) -> None:
    run = make_run()
    path = run / name
    path.write_text(path.read_text()[:-30].replace("0.7", "x"))
    if name == "history.csv":
        path.write_text("epoch\n1\n")
    with pytest.raises(InputError, match=re.escape(path.name)):
        collect_run(run)


def test_no_run_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="histo train"):
        newest_run(tmp_path)


@pytest.mark.parametrize("classes", [["normal", "tumor"], ["a", "b", "c", "d", "e"]])
def test_figures_are_the_same_bytes_each_time(tmp_path: Path, classes: list[str]) -> None:
    from histocli.metrics.evaluate import evaluate

    predictions = made_predictions(classes)
    metrics = evaluate(
        predictions, split="test", positive_class=classes[-1], threshold=0.5, bootstrap_samples=50
    )
    once = evaluation_figures(predictions, metrics, tmp_path / "one")
    again = evaluation_figures(predictions, metrics, tmp_path / "two")
    assert [path.name for path in once] == [
        "roc.png",
        "precision_recall.png",
        "confusion_matrix.png",
        "calibration.png",
    ]
    for one, two in zip(once, again, strict=True):
        assert one.read_bytes() == two.read_bytes()


@pytest.mark.parametrize("epochs", [1, 2, 40])
def test_history_is_drawn_for_any_number_of_epochs(tmp_path: Path, epochs: int) -> None:
    path = training_history_figure(history(tmp_path / "history.csv", epochs), tmp_path / "h.png")
    assert path.stat().st_size > 5000
