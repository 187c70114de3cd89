"""A small forest plot beside the table of metrics: where each interval lies, at one glance."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

# Metrics of which more is better, all at most 1: they share one axis.
SHARED_AXIS = (
    "auroc",
    "average_precision",
    "accuracy",
    "balanced_accuracy",
    "sensitivity",
    "specificity",
    "positive_predictive_value",
    "negative_predictive_value",
    "f1",
    "matthews_correlation",
    "cohen_kappa",
)


@dataclass(frozen=True)
class Mark:
    """One estimate on the axis, as shares of its width."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Forest:
    """The marks of each row, one per split (None where undefined), and the ends of the axis."""

    start: float
    end: float
    rows: tuple[tuple[Mark | None, ...], ...]


def forest(names: Sequence[str], splits: Mapping[str, Mapping[str, Any]]) -> Forest:
    """Place the metrics of several splits on one axis that ends at 1.

    Args:
        names: The metrics, in the order of the rows.
        splits: The content of ``metrics.json`` by split.
    """
    entries = [
        [each["metrics"].get(name) or {} if name in SHARED_AXIS else {} for each in splits.values()]
        for name in names
    ]
    lowest = [
        min(entry["value"], _bound(entry, "ci_low"))
        for row in entries
        for entry in row
        if entry.get("value") is not None
    ]
    start = min(0.9, math.floor(10 * min(lowest, default=0)) / 10)
    rows = (tuple(_mark(entry, start) for entry in row) for row in entries)
    return Forest(start, 1.0, tuple(rows))


def _mark(entry: Mapping[str, Any], start: float) -> Mark | None:
    if entry.get("value") is None:
        return None
    places = (entry["value"], _bound(entry, "ci_low"), _bound(entry, "ci_high"))
    value, low, high = (round((place - start) / (1 - start), 4) for place in places)
    return Mark(value, low, high)


def _bound(entry: Mapping[str, Any], name: str) -> float:
    bound = entry.get(name)
    return float(entry["value"] if bound is None else bound)
