"""The same metrics in each part of a split: an average can hide where a model fails."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from histocli.metrics.labelled import Labelled
from histocli.metrics.uncertainty import Uncertainty
from histocli.plurals import counted

SUBGROUP_METRICS = (
    "auroc",
    "balanced_accuracy",
    "sensitivity",
    "specificity",
    "expected_calibration_error",
)
UNKNOWN = "(unknown)"
# Below, an interval is too wide to say more than that.
FEWEST_TILES, FEWEST_GROUPS = 30, 10
MOST_SUBGROUPS = 50


def subgroup_section(
    tiles: Labelled, columns: Mapping[str, Sequence[str | None]], uncertainty: Uncertainty
) -> dict[str, Any]:
    """Metrics of each value of each column.

    Args:
        tiles: Of the split that is judged.
        columns: By name: the value of each of these tiles, None where unknown.
        uncertainty: How intervals are made.

    Returns:
        By column: its subgroups in the order of their names, each with its metrics and warnings, and
        the two that differ most in AUROC, those without a warning only.
    """
    return {name: _of_column(tiles, values, uncertainty) for name, values in columns.items()}


def _of_column(
    tiles: Labelled, values: Sequence[str | None], uncertainty: Uncertainty
) -> dict[str, Any]:
    named = np.array([UNKNOWN if value in (None, "") else str(value) for value in values])
    names, counts = np.unique(named, return_counts=True)
    # A column of ids has as many values as tiles: the largest are enough to see that.
    shown = sorted(names[np.argsort(-counts, kind="stable")][:MOST_SUBGROUPS].tolist())
    entries = {name: _of_subgroup(tiles.at(named == name), uncertainty) for name in shown}
    return {
        "subgroups": entries,
        "left_out": len(names) - len(shown),
        "widest_gap": _widest_gap(entries),
    }


def _of_subgroup(tiles: Labelled, uncertainty: Uncertainty) -> dict[str, Any]:
    counts = np.bincount(tiles.labels, minlength=len(tiles.classes)).tolist()
    groups = len({group for group in tiles.groups if group}) or None
    return {
        "tiles": len(tiles),
        "groups": groups,
        "tiles_per_class": dict(zip(tiles.classes, counts, strict=True)),
        "metrics": uncertainty.metrics(tiles, SUBGROUP_METRICS),
        "warnings": _warnings(dict(zip(tiles.classes, counts, strict=True)), groups),
    }


def _warnings(counts: Mapping[str, int], groups: int | None) -> list[str]:
    few = [
        f"{counted(count, 'tile')} of {name}"
        for name, count in counts.items()
        if count < FEWEST_TILES
    ]
    if groups is not None and groups < FEWEST_GROUPS:
        few.append(counted(groups, "group"))
    return [f"small: {', '.join(few)}"] if few else []


def _widest_gap(entries: Mapping[str, Mapping[str, Any]]) -> dict[str, Any] | None:
    """The best and the worst subgroup by AUROC; None unless two are large enough."""
    scores = {
        name: entry["metrics"]["auroc"]
        for name, entry in entries.items()
        if not entry["warnings"] and entry["metrics"]["auroc"]["value"] is not None
    }
    if len(scores) < 2:
        return None
    worst, best = (pick(scores, key=lambda name: scores[name]["value"]) for pick in (min, max))
    low, high = scores[worst]["ci_high"], scores[best]["ci_low"]
    return {
        "worst": worst,
        "best": best,
        "auroc_difference": scores[best]["value"] - scores[worst]["value"],
        "intervals_overlap": None if low is None or high is None else bool(low >= high),
    }
