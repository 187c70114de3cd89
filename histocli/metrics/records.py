"""One record for each metric: value, interval, method, number of tiles, and why where undefined."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from histocli.metrics.bootstrap import Bootstrap, clustered_bootstrap, stratified_bootstrap
from histocli.metrics.definitions import METRICS
from histocli.metrics.definitions.arrays import IntArray
from histocli.metrics.definitions.evidence import Evidence, Values
from histocli.metrics.intervals import Interval, wilson

WILSON = "wilson"
Record = dict[str, Any]


def metric_records(
    evidence: Evidence,
    *,
    names: Sequence[str],
    classes: Sequence[str],
    clusters: IntArray | None,
    confidence: float,
    bootstrap_samples: int,
    seed: int,
) -> tuple[dict[str, Record], dict[str, dict[str, Record]]]:
    """Measure, resample and write down.

    Args:
        evidence: The labelled tiles, each counted once.
        names: Keys of ``METRICS``.
        classes: Class names in the model's order.
        clusters: Patient or slide of each tile, numbered from 0; None when tiles stand alone.
        confidence: Of the intervals.
        bootstrap_samples: Number of resampled tables.
        seed: Of the resampling.

    Returns:
        The headline records by metric, and by class those of the metrics that look at one class.
    """
    table = _Table(
        evidence=evidence,
        classes=classes,
        confidence=confidence,
        points={name: METRICS[name].measure(evidence) for name in names},
        stratified=stratified_bootstrap(evidence, names, bootstrap_samples, seed),
        clustered=None
        if clusters is None
        else clustered_bootstrap(evidence, clusters, names, bootstrap_samples, seed),
    )
    headline = {name: table.record(name, None) for name in names}
    one_class = [name for name in names if table.points[name].per_class is not None]
    per_class = {
        class_name: {name: table.record(name, index) for name in one_class}
        for index, class_name in enumerate(classes)
    }
    return headline, per_class


@dataclass(frozen=True)
class _Table:
    evidence: Evidence
    classes: Sequence[str]
    confidence: float
    points: dict[str, Values]
    stratified: Bootstrap
    clustered: Bootstrap | None

    def record(self, name: str, class_index: int | None) -> Record:
        value = float(self.points[name].of(class_index))
        method, interval, tiles = self._independent(name, class_index, value)
        unclustered = interval
        if self.clustered is not None:
            method = self.clustered.method
            interval = self.clustered.interval(name, class_index, self.confidence)
        if math.isnan(value):
            interval = unclustered = Interval(
                math.nan, math.nan, self._why_undefined(name, class_index)
            )
        record: Record = {
            "value": _number(value),
            "ci_low": _number(interval.low),
            "ci_high": _number(interval.high),
            "method": method,
            "n": tiles,
        }
        if self.clustered is not None:
            record["ci_unclustered"] = [_number(unclustered.low), _number(unclustered.high)]
        if interval.reason is not None:
            record["reason"] = interval.reason
        return record

    def _independent(
        self, name: str, class_index: int | None, value: float
    ) -> tuple[str, Interval, int]:
        """Method, interval and tiles, taking the tiles as independent."""
        trials = METRICS[name].trials(self.evidence)
        has_classes = class_index is None or trials.per_class is not None
        count = float(trials.of(class_index)) if has_classes else math.nan
        if math.isnan(count):
            interval = self.stratified.interval(name, class_index, self.confidence)
            return self.stratified.method, interval, len(self.evidence.label_indices)
        hits = 0.0 if count == 0 else round(value * count)
        low, high = wilson(hits, count, self.confidence)
        return WILSON, Interval(float(low), float(high)), round(count)

    def _why_undefined(self, name: str, class_index: int | None) -> str:
        reason = METRICS[name].undefined
        per_class = self.points[name].per_class
        if class_index is not None or per_class is None or self.evidence.positive_index is not None:
            return reason
        undefined = np.flatnonzero(np.isnan(per_class)).tolist()
        return f"undefined for {', '.join(self.classes[index] for index in undefined)}: {reason}"


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
