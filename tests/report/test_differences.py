"""The table and the figure of a comparison."""

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from histocli.report.difference_figure import difference_figure
from histocli.report.difference_table import difference_table, run_letters
from histocli.report.wording import UNDEFINED, p_text


def comparison(*runs: str, groups: int | None = 12) -> dict[str, Any]:
    def record(difference: float | None, better: str | None) -> dict[str, Any]:
        known = difference is not None
        return {
            "difference": difference,
            "ci_low": difference - 0.02 if difference is not None else None,
            "ci_high": difference + 0.02 if difference is not None else None,
            "method": "bootstrap (clustered by group, BCa)",
            "ci_unclustered": [-0.01, 0.01] if known else [None, None],
            "p_value": 0.0001 if better else 0.4,
            "p_holm": 0.0002 if better else 0.4,
            "test": "exchange of whole groups",
            "better": better,
        }

    pairs = [
        {
            "runs": [first, second],
            "metrics": {
                "auroc": record(0.05, first),
                "accuracy": record(0.001, None),
                "f1": record(None, None),
                "brier": record(-0.03, first),
            },
            "tests": {
                "mcnemar": {"only_first": 1200, "only_second": 7, "p_value": 1e-9},
                "delong": {"p_value": 0.004},
                "delong_clustered": {"p_value": 0.031},
            },
        }
        for position, first in enumerate(runs)
        for second in runs[position + 1 :]
    ]
    values = {run: {"auroc": 0.9, "accuracy": 0.8, "f1": None, "brier": 0.1} for run in runs}
    return {
        "split": "test",
        "runs": list(runs),
        "tiles": 32768,
        "groups": groups,
        "confidence": 0.95,
        "values": values,
        "pairs": pairs,
    }


def test_two_runs_show_every_metric_and_which_is_better() -> None:
    table = difference_table(comparison("macenko", "plain"))
    assert table.header == ("Metric", "A", "B", "Difference", "p", "Better")
    assert table.rows[0] == ["AUROC", "0.900", "0.900", "0.050 (0.030 to 0.070)", "<0.001", "A"]
    assert table.rows[1][-2:] == ["0.400", "not shown"]
    assert table.rows[2][1:4] == [UNDEFINED] * 3
    assert "A: macenko" in table.notes
    assert "Right in A alone: 1,200 tiles; in B alone: 7." in table.notes
    named = "DeLong's p for the AUROC 0.004, McNemar's for accuracy <0.001."
    assert f"If tiles were independent: {named} DeLong's p for groups: 0.031." in table.notes
    assert named in difference_table(comparison("macenko", "plain", groups=None)).notes


def test_several_runs_show_the_pairs_under_each_other_and_the_adjustment() -> None:
    table = difference_table(comparison("a", "b", "c"))
    assert [row[:2] for row in table.rows[:3]] == [
        ["AUROC", "A\N{EN DASH}B"],
        ["AUROC", "A\N{EN DASH}C"],
        ["AUROC", "B\N{EN DASH}C"],
    ]
    assert any("Holm" in note for note in table.notes)


def test_without_groups_the_table_says_that_it_is_optimistic() -> None:
    assert any(
        "optimistic" in note for note in difference_table(comparison("a", "b", groups=None)).notes
    )


@pytest.mark.parametrize(
    ("p_value", "text"), [(None, UNDEFINED), (0.0009, "<0.001"), (0.0416, "0.042")]
)
def test_p_values_are_short(p_value: float | None, text: str) -> None:
    assert p_text(p_value) == text


def test_letters_never_repeat() -> None:
    letters = run_letters([f"run {number}" for number in range(30)])
    assert len(set(letters.values())) == 30


@pytest.mark.parametrize("runs", [("a", "b"), ("a", "b", "c")])
def test_the_figure_is_written_and_the_same_each_time(
    runs: tuple[str, ...], tmp_path: Path
) -> None:
    first = difference_figure(comparison(*runs), tmp_path / "first.png").read_bytes()
    assert difference_figure(comparison(*runs), tmp_path / "again.png").read_bytes() == first
    with Image.open(tmp_path / "first.png") as image:
        assert image.width > 1000
