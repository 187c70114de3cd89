"""The kinds of metric, by what their function takes."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass

import numpy as np

from histocli.metrics.definitions.arrays import BoolArray, FloatArray, IntArray
from histocli.metrics.definitions.confusion import OneVersusRest
from histocli.metrics.definitions.evidence import Evidence, Values
from histocli.metrics.definitions.ranking import Ranking
from histocli.metrics.definitions.rankings import Rankings
from histocli.metrics.definitions.weights import Weights


@dataclass(frozen=True)
class Metric(ABC):
    """One metric: how figures call it, and why it may be undefined.

    Attributes:
        title: Name in figures and tables.
        undefined: The reason given where the value is NaN.
        lower_is_better: As of an error.
        is_share: Between 0 and 1.
        grows_by_chance: Scatter adds to it, so that resampled tables have more of it.
        least_classes: With fewer it says nothing new, and is left out.
    """

    title: str
    undefined: str
    _: KW_ONLY
    lower_is_better: bool = False
    is_share: bool = True
    grows_by_chance: bool = False
    least_classes: int = 1

    @abstractmethod
    def measure(self, evidence: Evidence) -> Values:
        """The value under each row of weights."""

    def trials(self, evidence: Evidence) -> Values:
        """Denominator where the value is a proportion of independent tiles, NaN where not."""
        return Values.undefined(evidence)

    def influence(self, evidence: Evidence) -> Values | None:
        """What each tile adds, shape ``(N, ...)``: the squares add up to the variance."""
        del evidence
        return None


@dataclass(frozen=True)
class CountsMetric(Metric):
    """From the counts of one class against the rest; ``denominator`` makes it a proportion."""

    function: Callable[[OneVersusRest], FloatArray]
    denominator: Callable[[OneVersusRest], FloatArray] | None = None

    def measure(self, evidence: Evidence) -> Values:
        """The value under each row of weights."""
        counts = evidence.counts
        return Values.from_classes(self.function(counts), evidence, self.function(counts.pooled))

    def trials(self, evidence: Evidence) -> Values:
        """The denominators; an average is no proportion."""
        if self.denominator is None:
            return Values.undefined(evidence)
        per_class = self.denominator(evidence.counts)
        if evidence.positive_index is None:
            return Values(np.array(np.nan), per_class)
        return Values(per_class[..., evidence.positive_index], per_class)


@dataclass(frozen=True)
class ConfusionMetric(Metric):
    """From the confusion matrix of all classes; ``is_proportion``: of all tiles."""

    function: Callable[[FloatArray], FloatArray]
    is_proportion: bool = False

    def measure(self, evidence: Evidence) -> Values:
        """The value under each row of weights."""
        return Values(self.function(evidence.confusion))

    def trials(self, evidence: Evidence) -> Values:
        """All tiles, where it is a proportion."""
        if not self.is_proportion:
            return Values.undefined(evidence)
        return Values(evidence.confusion.sum(axis=(-2, -1)))


@dataclass(frozen=True)
class RankingMetric(Metric):
    """From the order of the scores of one class; ``of_each_tile`` gives it a variance."""

    function: Callable[[Ranking, Weights], FloatArray]
    of_each_tile: Callable[[Ranking, int], FloatArray] | None = None

    def measure(self, evidence: Evidence) -> Values:
        """The value under each row of weights."""
        rankings, weights = evidence.rankings, evidence.weights
        per_class = np.stack(
            [self.function(rankings.of_class(index), weights) for index in range(evidence.classes)],
            axis=-1,
        )
        # Of two classes each question is asked twice: pooling them says nothing new.
        pooled = self.function(rankings.pooled, weights) if evidence.classes > 2 else None
        return Values.from_classes(per_class, evidence, pooled)

    def influence(self, evidence: Evidence) -> Values | None:
        """What each tile adds to the value of each class, and to their mean."""
        if self.of_each_tile is None:
            return None
        tiles = len(evidence.label_indices)
        columns = [
            self.of_each_tile(evidence.rankings.of_class(index), tiles)
            for index in range(evidence.classes)
        ]
        return Values.from_classes(np.stack(columns, axis=-1), evidence)


@dataclass(frozen=True)
class PairsMetric(Metric):
    """From the order of the scores of all classes."""

    function: Callable[[Rankings, Weights], FloatArray]

    def measure(self, evidence: Evidence) -> Values:
        """The value under each row of weights."""
        return Values(self.function(evidence.rankings, evidence.weights))


@dataclass(frozen=True)
class ScoreMetric(Metric):
    """From the scores of one class; ``overall`` replaces the macro average."""

    function: Callable[[BoolArray, FloatArray, Weights], FloatArray]
    overall: Callable[[IntArray, FloatArray, Weights], FloatArray] | None = None

    def measure(self, evidence: Evidence) -> Values:
        """The value under each row of weights."""
        per_class = np.stack(
            [
                self.function(
                    evidence.label_indices == index,
                    evidence.probabilities[:, index],
                    evidence.weights,
                )
                for index in range(evidence.classes)
            ],
            axis=-1,
        )
        if self.overall is None or evidence.positive_index is not None:
            return Values.from_classes(per_class, evidence)
        overall = self.overall(evidence.label_indices, evidence.probabilities, evidence.weights)
        return Values(overall, per_class)


@dataclass(frozen=True)
class ProbabilityMetric(Metric):
    """From the probabilities of all classes; ``is_proportion``: of all tiles."""

    function: Callable[[IntArray, FloatArray, Weights], FloatArray]
    is_proportion: bool = False

    def measure(self, evidence: Evidence) -> Values:
        """The value under each row of weights."""
        return Values(
            self.function(evidence.label_indices, evidence.probabilities, evidence.weights)
        )

    def trials(self, evidence: Evidence) -> Values:
        """All tiles, where it is a proportion."""
        if not self.is_proportion:
            return Values.undefined(evidence)
        return Values(evidence.confusion.sum(axis=(-2, -1)))
