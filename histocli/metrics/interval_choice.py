"""Which interval a metric gets: the one made for it where there is one, else a bootstrap."""

import math
from dataclasses import dataclass, field

import numpy as np

from histocli.metrics.bootstrap import ALL_ALIKE, Bootstrap
from histocli.metrics.definitions import METRICS
from histocli.metrics.definitions.arrays import FloatArray, IntArray
from histocli.metrics.definitions.evidence import Evidence, Values
from histocli.metrics.definitions.weights import ClusterWeights
from histocli.metrics.delong import DELONG_LOGIT, delong_interval
from histocli.metrics.intervals import PROPORTION_INTERVALS, Interval, wilson
from histocli.metrics.newcombe import NEWCOMBE, newcombe_interval

WILSON_OF_GROUPS = "wilson (groups as trials)"
NEWCOMBE_OF_GROUPS = "newcombe (groups as cases)"
# With fewer tiles of the rarer class to be ranked wrongly, DeLong's variance is known too poorly.
FEWEST_MISRANKED = 5
# A class by its index, an average by its name, or the headline.
Part = int | str | None


@dataclass(frozen=True)
class Chosen:
    """An interval, how it was made, and over how many tiles the value is computed."""

    method: str
    interval: Interval
    tiles: int


@dataclass(frozen=True)
class IndependentIntervals:
    """Intervals that take the tiles as independent.

    Attributes:
        evidence: The labelled tiles, each counted once.
        bootstrap: For what has no interval of its own.
        confidence: Of the intervals.
        proportion: Key of ``PROPORTION_INTERVALS``.
    """

    evidence: Evidence
    bootstrap: Bootstrap
    confidence: float
    proportion: str
    _influences: dict[str, Values | None] = field(default_factory=dict, init=False, repr=False)

    def of(self, name: str, part: Part, value: float) -> Chosen:
        """The interval of one metric, of one class, of one average or of the headline."""
        trials = trials_of(name, part, self.evidence)
        if not math.isnan(trials):
            hits = 0.0 if trials == 0 else round(value * trials)
            low, high = PROPORTION_INTERVALS[self.proportion](hits, trials, self.confidence)
            return Chosen(self.proportion, Interval(float(low), float(high)), round(trials))
        tiles = len(self.evidence.label_indices)
        influence = self._influence(name, part)
        if influence is None or math.isnan(value):
            method, interval = self.bootstrap.interval(name, part, value, self.confidence)
            return Chosen(method, interval, tiles)
        interval = delong_interval(value, influence, self.confidence)
        index = class_of(part, self.evidence)
        if index is None:
            return Chosen(DELONG_LOGIT, interval, tiles)
        positives = int(np.count_nonzero(self.evidence.label_indices == index))
        misranked = min(positives, tiles - positives) * min(value, 1 - value)
        if math.isfinite(interval.low) and misranked >= FEWEST_MISRANKED:
            return Chosen(DELONG_LOGIT, interval, tiles)
        interval = newcombe_interval(value, positives, tiles - positives, self.confidence)
        return Chosen(NEWCOMBE, interval, tiles)

    def _influence(self, name: str, part: Part) -> FloatArray | None:
        if name not in self._influences:
            self._influences[name] = METRICS[name].influence(self.evidence)
        influence = self._influences[name]
        # The shares behind a weighted average vary, too; pooled questions depend on each other.
        if influence is None or part in ("weighted", "micro"):
            return None
        return influence.of(part)


@dataclass(frozen=True)
class GroupedIntervals:
    """Intervals that take whole groups of tiles as independent.

    Attributes:
        evidence: The labelled tiles, each counted once.
        clusters: Group of each tile, numbered from 0.
        bootstrap: Of whole groups.
        confidence: Of the intervals.
    """

    evidence: Evidence
    clusters: IntArray
    bootstrap: Bootstrap
    confidence: float

    def of(self, name: str, part: Part, value: float) -> tuple[str, Interval]:
        """Method and interval.

        Where every sample gives the same value, as after perfect separation, a bootstrap knows no
        uncertainty. Then a group counts as one tile, which is as wide as it can get.
        """
        method, interval = self.bootstrap.interval(name, part, value, self.confidence)
        if interval.reason != ALL_ALIKE:
            return method, interval
        each = self.evidence.reweighted(ClusterWeights(np.eye(self._count), self.clusters))
        trials = METRICS[name].trials(each)
        if not math.isnan(trials_of(name, part, self.evidence)):
            groups = int(np.count_nonzero(trials.of(part)))
            low, high = wilson(value * groups, groups, self.confidence)
            return WILSON_OF_GROUPS, Interval(float(low), float(high))
        index = class_of(part, self.evidence)
        if METRICS[name].influence(self.evidence) is None or index is None:
            return method, interval
        of_class = self.evidence.label_indices == index
        positives, negatives = (
            len(np.unique(self.clusters[chosen])) for chosen in (of_class, ~of_class)
        )
        return NEWCOMBE_OF_GROUPS, newcombe_interval(value, positives, negatives, self.confidence)

    @property
    def _count(self) -> int:
        return int(self.clusters.max()) + 1


def trials_of(name: str, part: Part, evidence: Evidence) -> float:
    """Denominator of a proportion of tiles; NaN where the metric is none."""
    trials = METRICS[name].trials(evidence)
    if isinstance(part, str) or (isinstance(part, int) and trials.per_class is None):
        return math.nan
    return float(trials.of(part))


def class_of(part: Part, evidence: Evidence) -> int | None:
    """The class whose view it is; None for a mean over classes."""
    if isinstance(part, int):
        return part
    return evidence.positive_index if part is None else None
