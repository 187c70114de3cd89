"""From tiles to slides or patients: one score and one label for each group."""

from collections import Counter
from collections.abc import Callable

import numpy as np

from histocli.errors import InputError, SettingsError
from histocli.metrics.definitions.arrays import FloatArray, IntArray
from histocli.metrics.labelled import Labelled
from histocli.metrics.operating_point import DEFAULT_THRESHOLD

HIGHEST = 10
# A certain tile would make noisy-or forget all others.
MOST_CERTAIN = 1 - 1e-12


def mean_score(scores: FloatArray) -> float:
    """The mean over the tiles."""
    return float(scores.mean())


def max_score(scores: FloatArray) -> float:
    """The highest: one positive tile makes a positive group."""
    return float(scores.max())


def noisy_or_score(scores: FloatArray) -> float:
    """``1 - product of (1 - p)``: the chance that some tile is positive, tiles being independent."""
    return float(-np.expm1(np.log1p(-np.minimum(scores, MOST_CERTAIN)).sum()))


def top_k_score(scores: FloatArray) -> float:
    """The mean of the ten highest, or of all where there are fewer."""
    return float(np.sort(scores)[-HIGHEST:].mean())


AGGREGATIONS: dict[str, Callable[[FloatArray], float]] = {
    "mean": mean_score,
    "max": max_score,
    "noisy-or": noisy_or_score,
    "top-k": top_k_score,
}


def aggregated(tiles: Labelled, method: str) -> Labelled:
    """One row for each group; tiles without a group are left out.

    A group of two classes is positive as soon as one of its tiles is, as a slide with a tumor is. With
    more classes it has the label of most of its tiles, the first of equals, and each class is aggregated
    against the rest and divided by the sum. Decisions are made anew: at 0.5, or the highest of several.

    Args:
        tiles: Of one split.
        method: A key of ``AGGREGATIONS``.

    Raises:
        SettingsError: If the method is unknown.
        InputError: If no tile has a group.
    """
    if method not in AGGREGATIONS:
        raise SettingsError(f"the aggregation {method!r} is unknown; use {', '.join(AGGREGATIONS)}")
    members: dict[str, list[int]] = {}
    for place, group in enumerate(tiles.groups):
        if group:
            members.setdefault(group, []).append(place)
    if not members:
        raise InputError(
            "no tile has a group, so there is nothing to aggregate by: add a column group, patient or "
            "slide to the table of the data"
        )
    score = AGGREGATIONS[method]
    table = np.array([_probabilities(tiles, rows, score) for rows in members.values()])
    return Labelled(
        tiles=tuple(members),
        classes=tiles.classes,
        positive_index=tiles.positive_index,
        labels=np.array([_label(tiles, rows) for rows in members.values()], np.int64),
        predicted=_decided(table, tiles.positive_index),
        probabilities=table,
        calibrated=None,
        groups=(None,) * len(members),
    )


def mixed_groups(tiles: Labelled) -> int:
    """Groups whose tiles have more than one label."""
    found: dict[str, set[int]] = {}
    for group, label in zip(tiles.groups, tiles.labels.tolist(), strict=True):
        if group:
            found.setdefault(group, set()).add(label)
    return sum(len(labels) > 1 for labels in found.values())


def _probabilities(
    tiles: Labelled, rows: list[int], score: Callable[[FloatArray], float]
) -> list[float]:
    table = tiles.probabilities[rows]
    if tiles.positive_index is not None:
        value = score(table[:, tiles.positive_index])
        return [value if index == tiles.positive_index else 1 - value for index in range(2)]
    values = np.array([score(column) for column in table.T])
    return [float(value) for value in values / values.sum()]


def _label(tiles: Labelled, rows: list[int]) -> int:
    labels = tiles.labels[rows].tolist()
    if tiles.positive_index is not None and tiles.positive_index in labels:
        return tiles.positive_index
    return int(Counter(labels).most_common(1)[0][0])


def _decided(table: FloatArray, positive_index: int | None) -> IntArray:
    if positive_index is None:
        return np.asarray(table.argmax(axis=1), np.int64)
    called = table[:, positive_index] >= DEFAULT_THRESHOLD
    return np.asarray(np.where(called, positive_index, 1 - positive_index), np.int64)
