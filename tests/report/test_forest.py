from typing import Any

import pytest

from histocli.report.forest import Mark, forest


def split(**entries: dict[str, Any]) -> dict[str, Any]:
    return {"metrics": entries}


def test_marks_lie_between_the_ends_of_the_axis() -> None:
    entry = {"value": 0.9, "ci_low": 0.82, "ci_high": 0.95}
    drawn = forest(["auroc"], {"test": split(auroc=entry)})
    assert (drawn.start, drawn.end) == (0.8, 1.0)
    assert drawn.rows == ((Mark(value=0.5, low=0.1, high=0.75),),)


@pytest.mark.parametrize(
    "entries",
    [{}, {"auroc": {"value": None}}, {"brier": {"value": 0.1, "ci_low": 0.05, "ci_high": 0.2}}],
)
def test_what_is_undefined_or_smaller_the_better_has_no_mark(entries: dict[str, Any]) -> None:
    assert forest(["auroc", "brier"], {"test": split(**entries)}).rows == ((None,), (None,))


def test_without_interval_the_mark_is_a_point() -> None:
    drawn = forest(["matthews_correlation"], {"test": split(matthews_correlation={"value": -1.0})})
    assert drawn.start == -1.0
    assert drawn.rows == ((Mark(value=0.0, low=0.0, high=0.0),),)
