"""Intervals of any statistic that can be computed of weighted tiles."""

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from histocli.metrics.bootstrap import (
    ALL_ALIKE,
    CLUSTERED,
    REFLECTED,
    STRATIFIED,
    clustered_bootstrap,
    moved_interval,
    stratified_bootstrap,
)
from histocli.metrics.definitions import METRICS
from histocli.metrics.definitions.arrays import FloatArray, IntArray
from histocli.metrics.definitions.evidence import Evidence
from histocli.metrics.definitions.weights import Weights
from histocli.metrics.interval_choice import (
    Chosen,
    GroupedIntervals,
    IndependentIntervals,
    Part,
    trials_of,
)
from histocli.metrics.intervals import (
    UNDEFINED,
    Interval,
    percentile_interval,
    reflected_interval,
    tail_of,
)
from histocli.metrics.labelled import Labelled
from histocli.metrics.records import Record
from histocli.metrics.resampling import clustered_draws, leaving_out, stratified_weights

# From weights, R rows of them or none, to values of shape (R, ...) or (...), by name.
Statistics = Callable[[Weights], Mapping[str, FloatArray]]
ONE_TILE = "there is one tile only, so nothing to resample"
ONE_GROUP = "there is one group only, so nothing to resample"
WILSON = "wilson"
NOT_DEFINED = "it is not defined for these tiles"


@dataclass(frozen=True)
class Uncertainty:
    """How intervals are made.

    Attributes:
        confidence: Of the intervals.
        samples: Number of resampled tables.
        seed: Of the resampling.
    """

    confidence: float = 0.95
    samples: int = 1000
    seed: int = 0

    def records(
        self,
        statistics: Statistics,
        strata: IntArray,
        clusters: IntArray | None,
        grow_by_chance: Collection[str] = (),
    ) -> dict[str, Record]:
        """A record, as in ``metrics.json``, of each scalar statistic.

        Args:
            statistics: Called with None, then with the weights of resampled tables.
            strata: True class of each tile, shape ``(N,)``: resampling keeps its counts.
            clusters: Group of each tile, numbered from 0: whole groups are resampled, then. None
                resamples tiles.
            grow_by_chance: Names of errors that scatter adds to: their intervals are reflected.
        """
        replicates = self.replicates(statistics, strata, clusters)
        left_out = self._left_out(statistics, strata, clusters) if replicates else {}
        plain = STRATIFIED if clusters is None else CLUSTERED
        found = {}
        for name, value in statistics(None).items():
            method, point = plain, float(value)
            samples = replicates.get(name, np.empty(0))
            interval = self._interval(samples, strata, clusters)
            if name in grow_by_chance:
                method, interval = REFLECTED[plain], reflected_interval(point, interval)
            elif name in left_out:
                method, interval = moved_interval(
                    plain,
                    interval,
                    samples,
                    point,
                    left_out[name],
                    _units(strata, clusters),
                    self.confidence,
                )
            found[name] = record_of(point, interval, method, len(strata))
        return found

    def metrics(self, tiles: Labelled, names: Sequence[str]) -> dict[str, Record]:
        """The headline records of some metrics of ``METRICS``, with the interval that the table gives.

        Of tiles in groups only the interval by groups is made, of others only what has no interval of
        its own is resampled: an analysis asks for many tables.
        """
        evidence, clusters = tiles.evidence(), tiles.clusters
        values = {name: float(METRICS[name].measure(evidence).of(None)) for name in names}
        defined = [name for name in names if math.isfinite(values[name])]
        if clusters is None:
            resampled = [name for name in defined if self._needs_resampling(name, evidence)]
            bootstrap = stratified_bootstrap(evidence, resampled, self.samples, self.seed)
            choose = IndependentIntervals(evidence, bootstrap, self.confidence, WILSON).of
        else:
            bootstrap = clustered_bootstrap(evidence, clusters, defined, self.samples, self.seed)
            grouped = GroupedIntervals(evidence, clusters, bootstrap, self.confidence)

            def choose(name: str, part: Part, value: float) -> Chosen:
                return Chosen(*grouped.of(name, part, value), _counted(name, evidence))

        found = {}
        for name, value in values.items():
            nothing = Chosen(
                bootstrap.method, Interval(UNDEFINED, UNDEFINED), _counted(name, evidence)
            )
            chosen = choose(name, None, value) if name in defined else nothing
            reason = METRICS[name].undefined
            found[name] = record_of(value, chosen.interval, chosen.method, chosen.tiles, reason)
        return found

    @staticmethod
    def _needs_resampling(name: str, evidence: Evidence) -> bool:
        is_proportion = math.isfinite(trials_of(name, None, evidence))
        return not is_proportion and METRICS[name].influence(evidence) is None

    def replicates(
        self, statistics: Statistics, strata: IntArray, clusters: IntArray | None
    ) -> dict[str, FloatArray]:
        """Each statistic in each resampled table, shape ``(R, ...)``; empty where nothing varies."""
        if not self._obstacle(strata, clusters):
            blocks: Iterable[Weights] = (
                stratified_weights(strata, self.samples, self.seed)
                if clusters is None
                else clustered_draws(clusters, self.samples, self.seed)
            )
            rows = [statistics(block) for block in blocks]
            if rows:
                return {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}
        return {}

    def band(
        self, statistics: Statistics, name: str, strata: IntArray, clusters: IntArray | None
    ) -> tuple[FloatArray, FloatArray] | None:
        """Percentile bounds of a curve, point by point; None where nothing varies.

        Args:
            statistics: As for ``records``.
            name: Of the curve, whose replicates are ``(R, T)``.
            strata: True class of each tile, shape ``(N,)``.
            clusters: Group of each tile, numbered from 0; None when tiles stand alone.
        """
        replicates = self.replicates(statistics, strata, clusters).get(name)
        if replicates is None:
            return None
        tail = tail_of(self.confidence, _units(strata, clusters))
        low, high = np.quantile(replicates, [tail, 1 - tail], axis=0)
        return low, high

    def _left_out(
        self, statistics: Statistics, strata: IntArray, clusters: IntArray | None
    ) -> Mapping[str, FloatArray]:
        """Each statistic without one tile or group, or block of them."""
        if clusters is None:
            return statistics(leaving_out(np.arange(len(strata)), strata, self.seed))
        first_tile = np.unique(clusters, return_index=True)[1]
        return statistics(leaving_out(clusters, strata[first_tile], self.seed))

    def _interval(
        self, values: FloatArray, strata: IntArray, clusters: IntArray | None
    ) -> Interval:
        obstacle = self._obstacle(strata, clusters)
        if obstacle is not None:
            return Interval(UNDEFINED, UNDEFINED, obstacle)
        if values.size and np.ptp(values) == 0:
            return Interval(UNDEFINED, UNDEFINED, ALL_ALIKE)
        return percentile_interval(values, self.confidence, _units(strata, clusters))

    @staticmethod
    def _obstacle(strata: IntArray, clusters: IntArray | None) -> str | None:
        if clusters is not None:
            return ONE_GROUP if clusters.max() == 0 else None
        return ONE_TILE if len(strata) < 2 else None


def _counted(name: str, evidence: Evidence) -> int:
    """Tiles that a metric is computed over: the denominator of a proportion."""
    trials = trials_of(name, None, evidence)
    return len(evidence.label_indices) if math.isnan(trials) else round(trials)


def _units(strata: IntArray, clusters: IntArray | None) -> int:
    """How many tiles or groups are resampled: with few, intervals are widened."""
    return len(strata) if clusters is None else int(clusters.max()) + 1


def record_of(
    value: float, interval: Interval, method: str, tiles: int, reason: str | None = None
) -> Record:
    """A value with its interval; what is not defined is None and has a reason."""
    record: Record = {
        "value": finite(value),
        "ci_low": finite(interval.low) if math.isfinite(value) else None,
        "ci_high": finite(interval.high) if math.isfinite(value) else None,
        "method": method,
        "n": tiles,
    }
    why = interval.reason if math.isfinite(value) else reason or NOT_DEFINED
    if why is not None:
        record["reason"] = why
    return record


def finite(value: float) -> float | None:
    """The value, or None for what JSON has no number for."""
    return float(value) if math.isfinite(value) else None
