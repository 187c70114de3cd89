"""Values that are no probabilities never become a metric; extreme ones that are become finite numbers."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from histocli.errors import InputError
from histocli.metrics.evaluate import evaluate
from histocli.predictions import Predictions
from tests.chaos.conftest import Count

REFUSED = "values that are no probabilities are refused by name"
WRONG = ["nan", "inf", "-inf", "1e308", "-1e-300", "-0.1", "1.1", "", "0x1", "1e999", "None", "1,0"]
# Zero, denormal, tiny, next to a half and to one.
EXTREME = [0.0, 5e-324, 1e-300, 1e-17, 0.5 - 2**-54, 0.5, 1 - 2**-53, 1.0]


def predictions_of(scores: list[float], labels: list[bool]) -> Predictions:
    second = np.array(scores)
    return Predictions(
        tiles=[f"{n}.png" for n in range(len(scores))],
        classes=["normal", "tumor"],
        probabilities=np.stack([1 - second, second], axis=1),
        predicted=["tumor" if score >= 0.5 else "normal" for score in scores],
        labels=["tumor" if label else "normal" for label in labels],
        groups=[None] * len(scores),
    )


def numbers(content: Any) -> Iterator[float]:
    """Every number, however deep."""
    if isinstance(content, dict):
        for value in content.values():
            yield from numbers(value)
    elif isinstance(content, list):
        for value in content:
            yield from numbers(value)
    elif isinstance(content, float):
        yield content


@pytest.mark.parametrize("place", ["first", "last"])
@pytest.mark.parametrize("column", ["probability", "calibrated"])
def test_a_table_with_other_values_is_refused_by_name(
    tmp_path: Path, column: str, place: str, tally: Count
) -> None:
    path = tmp_path / "predictions.csv"
    failures = []
    for value in WRONG:
        rows = ["tile,group,label,predicted,probability_a,probability_b,calibrated_a,calibrated_b"]
        rows += [f"{n}.png,,a,a,0.75,0.25,0.75,0.25" for n in range(5)]
        row = 1 if place == "first" else -1
        cells = rows[row].split(",")
        cells[4 if column == "probability" else 6] = value
        rows[row] = ",".join(cells)
        path.write_text("\n".join(rows) + "\n")
        try:
            Predictions.read(path)
            failures.append(value)
        except InputError as error:
            if str(path) not in str(error):
                failures.append(f"{value}: {error}")
    tally(REFUSED, len(WRONG), len(failures))
    assert not failures


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(EXTREME) | st.floats(0, 1), st.booleans()),
        min_size=1,
        max_size=12,
    )
)
def test_whatever_the_probabilities_a_metric_is_finite_or_none_with_a_reason(
    drawn: list[tuple[float, bool]],
) -> None:
    predictions = predictions_of([score for score, _ in drawn], [label for _, label in drawn])
    metrics = evaluate(
        predictions, split="test", positive_class="tumor", threshold=0.5, bootstrap_samples=0
    )
    assert all(math.isfinite(number) for number in numbers(metrics))
    for name, record in metrics["metrics"].items():
        if record["value"] is None:
            assert record["reason"], name


@pytest.mark.parametrize("score", EXTREME)
@pytest.mark.parametrize("labels", [[True, False] * 5, [True] * 10, [False] * 10])
def test_constant_scores_give_finite_metrics_with_a_bootstrap(
    score: float, labels: list[bool]
) -> None:
    metrics = evaluate(
        predictions_of([score] * 10, labels),
        split="test",
        positive_class="tumor",
        threshold=0.5,
        bootstrap_samples=100,
    )
    assert all(math.isfinite(number) for number in numbers(metrics))
