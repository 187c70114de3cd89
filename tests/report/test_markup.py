import csv
import io
import json

from histocli.report.best_of_runs import is_current, shown_best
from histocli.report.collect import collect_run
from histocli.report.markup import estimates_csv, latex, markdown
from histocli.report.tables import Table, comparison_table
from tests.report.conftest import MakeRun

TABLE = Table(
    "50 % of a|b",
    ("Run", "AUROC"),
    [["a_1", "0.9"], ["b|<i>", "\N{MINUS SIGN}0.1"]],
    ("A note_1.",),
    frozenset({(0, 1)}),
)


def test_markdown_escapes_and_marks_the_best() -> None:
    lines = markdown([TABLE]).splitlines()
    assert "| Run | AUROC |" in lines
    assert "| a\\_1 | **0.9** |" in lines
    assert "| b\\|\\<i\\> | \N{MINUS SIGN}0.1 |" in lines


def test_latex_escapes_and_marks_the_best() -> None:
    text = latex([TABLE])
    assert r"a\_1 & \textbf{0.9} \\" in text
    assert r"b|\textless{}i\textgreater{} & $-$0.1 \\" in text
    assert r"\caption{50 \% of a|b}" in text


def test_csv_holds_every_estimate_unrounded(make_run: MakeRun) -> None:
    run = make_run()
    rows = list(csv.DictReader(io.StringIO(estimates_csv([collect_run(run)]))))
    metrics = json.loads((run / "evaluation" / "test" / "metrics.json").read_text())["metrics"]
    of_test = {row["metric"]: row for row in rows if row["split"] == "test"}
    assert set(of_test) == set(metrics)
    assert float(of_test["auroc"]["ci_low"]) == metrics["auroc"]["ci_low"]


def compared(runs: list[str], better: dict[tuple[str, str], str | None]) -> dict[str, object]:
    return {
        "split": "test",
        "pairs": [
            {"runs": list(pair), "metrics": {"auroc": {"better": name}}}
            for pair, name in better.items()
        ],
        "values": {run: {"auroc": 0.9} for run in runs},
    }


def test_the_best_is_marked_only_where_it_is_better_than_every_other() -> None:
    runs = ["a", "b", "c"]
    real = compared(runs, {("a", "b"): "b", ("a", "c"): None, ("b", "c"): "b"})
    assert shown_best(real, runs, ["auroc"]) == {(1, 0)}
    partly = compared(runs, {("a", "b"): "b", ("a", "c"): None, ("b", "c"): None})
    assert shown_best(partly, runs, ["auroc"]) == frozenset()


def test_a_comparison_of_an_earlier_evaluation_marks_nothing(make_run: MakeRun) -> None:
    summaries = [collect_run(make_run(name)) for name in ("one", "two")]
    stale = compared(["one", "two"], {("one", "two"): "two"})
    assert not is_current(stale, summaries)
    assert comparison_table(summaries, comparison=stale).best == frozenset()
    headline = summaries[0].headline
    assert headline is not None
    auroc = headline.metrics["metrics"]["auroc"]["value"]
    current = {**stale, "values": {name: {"auroc": auroc} for name in ("one", "two")}}
    table = comparison_table(summaries, comparison=current)
    assert table.best == {(1, 3)}
    assert table.notes[0].startswith("Bold")
