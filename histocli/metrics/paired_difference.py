"""Two runs on the same tiles: the difference in every metric, its interval and its tests."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np

from histocli.metrics.bootstrap import (
    Bootstrap,
    clustered_bootstrap,
    difference_of,
    stratified_bootstrap,
)
from histocli.metrics.definitions import METRICS
from histocli.metrics.definitions.arrays import BoolArray, FloatArray, IntArray
from histocli.metrics.definitions.evidence import Evidence
from histocli.metrics.delong import DELONG, DifferenceTest, delong_test
from histocli.metrics.intervals import UNDEFINED, Interval
from histocli.metrics.labelled import Labelled
from histocli.metrics.records import Record, finite
from histocli.metrics.significance.exchange import exchange_p_values
from histocli.metrics.significance.mcnemar import McNemar, mcnemar

EXCHANGED_TILES = "exchange of tiles"
EXCHANGED_GROUPS = "exchange of whole groups"
NOT_DEFINED = "the metric is undefined for one of the runs"


@dataclass(frozen=True)
class MeasuredRun:
    """One run, measured and resampled.

    Attributes:
        evidence: The labelled tiles, each counted once.
        clusters: Group of each tile, numbered from 0; None when tiles stand alone.
        points: Headline values by metric.
        independent: Of tiles.
        grouped: Of whole groups; None when tiles stand alone.
        area_influence: What each tile adds to the AUROC.
    """

    evidence: Evidence
    clusters: IntArray | None
    points: dict[str, float]
    independent: Bootstrap
    grouped: Bootstrap | None
    area_influence: FloatArray

    @classmethod
    def of(cls, tiles: Labelled, names: Sequence[str], samples: int, seed: int) -> Self:
        """Measure; with one seed, all runs see the same resampled tables."""
        evidence, clusters = tiles.evidence(), tiles.clusters
        grouped = None
        if clusters is not None:
            grouped = clustered_bootstrap(evidence, clusters, names, samples, seed)
        influence = METRICS["auroc"].influence(evidence)
        return cls(
            evidence,
            clusters,
            {name: float(METRICS[name].measure(evidence).overall) for name in names},
            stratified_bootstrap(evidence, names, samples, seed),
            grouped,
            np.zeros(len(tiles)) if influence is None else influence.overall,
        )

    @property
    def is_right(self) -> BoolArray:
        """True for the tiles whose predicted class is the true one."""
        return np.equal(self.evidence.label_indices, self.evidence.predicted_indices)


def paired_record(
    first: MeasuredRun, second: MeasuredRun, *, confidence: float, permutations: int, seed: int
) -> dict[str, Any]:
    """``metrics`` and ``tests`` of one pair, as ``comparison.json`` has them.

    Args:
        first: One run.
        second: Another, on the same tiles in the same order.
        confidence: Of the intervals.
        permutations: Number of random exchanges.
        seed: Of the exchanges.
    """
    clusters, names = first.clusters, tuple(first.points)
    units = np.arange(len(first.evidence.label_indices)) if clusters is None else clusters
    exchanged = exchange_p_values(first.evidence, second.evidence, units, names, permutations, seed)
    discordance, areas = mcnemar(first.is_right, second.is_right), _areas(first, second, None)
    tests: dict[str, Any] = {
        "mcnemar": asdict(discordance),
        "delong": _finite_fields(areas),
    }
    if clusters is not None:
        tests["delong_clustered"] = _finite_fields(_areas(first, second, clusters))
    metrics: dict[str, Record] = {}
    for name in names:
        test, p_value = EXCHANGED_GROUPS, exchanged[name]
        if clusters is None:
            test, p_value = _test_of_tiles(name, exchanged[name], discordance, areas)
        metrics[name] = {
            **_difference(first, second, name, areas, confidence),
            "p_value": finite(p_value),
            "test": test,
        }
    return {"metrics": metrics, "tests": tests}


def _test_of_tiles(
    name: str, exchanged: float, discordance: McNemar, areas: DifferenceTest
) -> tuple[str, float]:
    if name == "auroc":
        return DELONG, areas.p_value
    if name == "accuracy":
        return discordance.method, discordance.p_value
    return EXCHANGED_TILES, exchanged


def _areas(first: MeasuredRun, second: MeasuredRun, clusters: IntArray | None) -> DifferenceTest:
    return delong_test(
        (first.points["auroc"], first.area_influence),
        (second.points["auroc"], second.area_influence),
        clusters,
    )


def _difference(
    first: MeasuredRun, second: MeasuredRun, name: str, areas: DifferenceTest, confidence: float
) -> Record:
    difference = first.points[name] - second.points[name]
    resampled = difference_of(first.independent, second.independent, name)
    method, interval = resampled.interval(name, None, difference, confidence)
    if name == "auroc" and areas.standard_error > 0:
        method, interval = DELONG, areas.interval(confidence)
    unclustered_method, unclustered = method, interval
    if first.grouped is not None and second.grouped is not None:
        resampled = difference_of(first.grouped, second.grouped, name)
        method, interval = resampled.interval(name, None, difference, confidence)
    if math.isnan(difference):
        interval = unclustered = Interval(UNDEFINED, UNDEFINED, NOT_DEFINED)
    record: Record = {
        "difference": finite(difference),
        "ci_low": finite(interval.low),
        "ci_high": finite(interval.high),
        "method": method,
    }
    if first.grouped is not None:
        record["ci_unclustered"] = [finite(unclustered.low), finite(unclustered.high)]
        record["method_unclustered"] = unclustered_method
    if interval.reason is not None:
        record["reason"] = interval.reason
    return record


def _finite_fields(test: DifferenceTest) -> dict[str, float | None]:
    return {name: finite(value) for name, value in asdict(test).items()}
