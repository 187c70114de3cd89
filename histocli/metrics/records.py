"""One record for each metric: value, interval, method, number of tiles, and why where undefined."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from histocli.metrics.bootstrap import clustered_bootstrap, stratified_bootstrap
from histocli.metrics.definitions import METRICS
from histocli.metrics.definitions.arrays import IntArray
from histocli.metrics.definitions.evidence import Evidence, Values
from histocli.metrics.interval_choice import GroupedIntervals, IndependentIntervals, Part
from histocli.metrics.intervals import UNDEFINED, Interval

Record = dict[str, Any]
AVERAGES = ("macro", "weighted", "micro")


@dataclass(frozen=True)
class MetricRecords:
    """Records by metric: the headline, of each class, and of each average over the classes."""

    headline: dict[str, Record]
    per_class: dict[str, dict[str, Record]]
    averages: dict[str, dict[str, Record]]


def metric_records(
    evidence: Evidence,
    *,
    names: Sequence[str],
    classes: Sequence[str],
    clusters: IntArray | None,
    confidence: float,
    bootstrap_samples: int,
    seed: int,
    proportion_interval: str = "wilson",
) -> MetricRecords:
    """Measure, resample and write down.

    Args:
        evidence: The labelled tiles, each counted once.
        names: Keys of ``METRICS``.
        classes: Class names in the model's order.
        clusters: Patient or slide of each tile, numbered from 0; None when tiles stand alone.
        confidence: Of the intervals.
        bootstrap_samples: Number of resampled tables.
        seed: Of the resampling.
        proportion_interval: Key of ``PROPORTION_INTERVALS``, for tiles that stand alone.
    """
    independent = IndependentIntervals(
        evidence,
        stratified_bootstrap(evidence, names, bootstrap_samples, seed),
        confidence,
        proportion_interval,
    )
    grouped = None
    if clusters is not None:
        bootstrap = clustered_bootstrap(evidence, clusters, names, bootstrap_samples, seed)
        grouped = GroupedIntervals(evidence, clusters, bootstrap, confidence)
    points = {name: METRICS[name].measure(evidence) for name in names}
    table = _Table(evidence, classes, points, independent, grouped)
    return MetricRecords(
        headline={name: table.record(name, None) for name in names},
        per_class={
            class_name: table.records(index, (n for n in names if points[n].per_class is not None))
            for index, class_name in enumerate(classes)
        },
        averages={
            average: table.records(average, (n for n in names if average in points[n].averages))
            for average in AVERAGES
        },
    )


@dataclass(frozen=True)
class _Table:
    evidence: Evidence
    classes: Sequence[str]
    points: Mapping[str, Values]
    independent: IndependentIntervals
    grouped: GroupedIntervals | None

    def records(self, part: Part, names: Iterable[str]) -> dict[str, Record]:
        return {name: self.record(name, part) for name in names}

    def record(self, name: str, part: Part) -> Record:
        value = float(self.points[name].of(part))
        chosen = self.independent.of(name, part, value)
        method, interval = chosen.method, chosen.interval
        unclustered = interval
        if self.grouped is not None:
            method, interval = self.grouped.of(name, part, value)
        if math.isnan(value):
            why = self._why_undefined(name, part)
            interval = unclustered = Interval(UNDEFINED, UNDEFINED, why)
        record: Record = {
            "value": finite(value),
            "ci_low": finite(interval.low),
            "ci_high": finite(interval.high),
            "method": method,
            "n": chosen.tiles,
        }
        if self.grouped is not None:
            record["ci_unclustered"] = [finite(unclustered.low), finite(unclustered.high)]
            record["method_unclustered"] = chosen.method
        if interval.reason is not None:
            record["reason"] = interval.reason
        return record

    def _why_undefined(self, name: str, part: Part) -> str:
        reason = METRICS[name].undefined
        per_class = self.points[name].per_class
        of_one = isinstance(part, int) or (
            part is None and self.evidence.positive_index is not None
        )
        if of_one or per_class is None:
            return reason
        undefined = np.flatnonzero(np.isnan(per_class)).tolist()
        return f"undefined for {', '.join(self.classes[index] for index in undefined)}: {reason}"


def finite(value: float) -> float | None:
    """The value, or None for what JSON has no number for."""
    return value if math.isfinite(value) else None
