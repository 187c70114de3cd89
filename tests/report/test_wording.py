import json
import math
from importlib.resources import files

import pytest

from histocli.metrics.definitions import METRICS
from histocli.report.wording import (
    INTERVAL_METHODS,
    METRIC_LABELS,
    UNDEFINED,
    count,
    duration,
    listed,
    number,
    percent,
    shortened,
)


def test_every_metric_has_a_printed_name() -> None:
    assert set(METRICS) <= set(METRIC_LABELS)


def test_every_method_of_an_interval_is_said_in_words() -> None:
    schema = json.loads((files("histocli") / "schemas" / "metrics.schema.json").read_text())
    assert set(schema["$defs"]["method"]["enum"]) == set(INTERVAL_METHODS)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.12345, "0.123"),
        (-0.12345, "\N{MINUS SIGN}0.123"),
        (-0.0001, "0.000"),
        (None, UNDEFINED),
        (math.nan, UNDEFINED),
        (math.inf, UNDEFINED),
    ],
)
def test_numbers(value: float | None, text: str) -> None:
    assert number(value) == text


def test_shares_counts_and_lists() -> None:
    assert percent(0.889) == "88.9\N{NO-BREAK SPACE}%"
    assert percent(None) == UNDEFINED
    assert count(262144) == "262,144"
    assert count("sha") == "sha"
    assert count(None) == UNDEFINED
    assert listed(["a"]) == "a"
    assert listed(["a", "b", "c"]) == "a, b and c"
    assert shortened("short") == "short"
    assert len(shortened("x" * 99, 10)) == 10


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(1.26, "1.3 s"), (59, "59 s"), (61, "1 min 01 s"), (3900, "1 h 05 min"), (9.98, "10.0 s")],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text
