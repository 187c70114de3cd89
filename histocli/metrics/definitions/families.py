"""The four kinds of metric, by what their function takes."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from histocli.metrics.definitions.arrays import BoolArray, FloatArray, IntArray
from histocli.metrics.definitions.confusion import OneVersusRest
from histocli.metrics.definitions.evidence import Evidence, Values

Weights = FloatArray | None


@dataclass(frozen=True)
class Metric(ABC):
    """One metric: how figures call it, and why it may be undefined.

    Attributes:
        title: Name in figures and tables.
        undefined: The reason given where the value is NaN.
    """

    title: str
    undefined: str

    @abstractmethod
    def measure(self, evidence: Evidence) -> Values:
        """The value under each row of weights."""

    def trials(self, evidence: Evidence) -> Values:
        """Denominator where the value is a proportion of independent tiles, NaN where not."""
        return Values.undefined(evidence)


@dataclass(frozen=True)
class CountsMetric(Metric):
    """From the counts of one class against the rest; ``denominator`` makes it a proportion."""

    function: Callable[[OneVersusRest], FloatArray]
    denominator: Callable[[OneVersusRest], FloatArray] | None = None

    def measure(self, evidence: Evidence) -> Values:
        """The value under each row of weights."""
        return Values.from_classes(self.function(evidence.counts), evidence)

    def trials(self, evidence: Evidence) -> Values:
        """The denominators; a macro average is no proportion."""
        if self.denominator is None:
            return Values.undefined(evidence)
        values = Values.from_classes(self.denominator(evidence.counts), evidence)
        if evidence.positive_index is None:
            return Values(np.array(np.nan), values.per_class)
        return values


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
    """From the probabilities of all classes."""

    function: Callable[[IntArray, FloatArray, Weights], FloatArray]

    def measure(self, evidence: Evidence) -> Values:
        """The value under each row of weights."""
        return Values(
            self.function(evidence.label_indices, evidence.probabilities, evidence.weights)
        )
