"""What every metric is computed from, and the values that come out."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Self

import numpy as np

from histocli.metrics.definitions.arrays import FloatArray, IntArray
from histocli.metrics.definitions.confusion import OneVersusRest, confusion_matrix
from histocli.metrics.definitions.rankings import Rankings
from histocli.metrics.definitions.weights import ClusterWeights


@dataclass(frozen=True)
class Evidence:
    """Labelled tiles with their predictions, counted as the weights say.

    Attributes:
        label_indices: True class of each tile, shape ``(N,)``.
        predicted_indices: Class decided at the operating point, shape ``(N,)``.
        probabilities: Shape ``(N, K)``.
        positive_index: The class whose view is the headline; None for the macro average.
        weights: How often each tile counts, shape ``(..., N)``: one row per resampling.
        rankings: The scores of each class, sorted when first asked for.
    """

    label_indices: IntArray
    predicted_indices: IntArray
    probabilities: FloatArray
    positive_index: int | None
    weights: FloatArray | ClusterWeights
    rankings: Rankings = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "rankings", Rankings(self.label_indices, self.probabilities))

    def reweighted(self, weights: FloatArray | ClusterWeights) -> Self:
        """The same tiles, counted otherwise; what was sorted stays sorted."""
        counted = replace(self, weights=weights)
        object.__setattr__(counted, "rankings", self.rankings)
        return counted

    @property
    def classes(self) -> int:
        """Number of classes K."""
        return int(self.probabilities.shape[1])

    @cached_property
    def confusion(self) -> FloatArray:
        """Confusion matrices, shape ``(..., K, K)``."""
        return confusion_matrix(
            self.label_indices, self.predicted_indices, self.classes, self.weights
        )

    @cached_property
    def counts(self) -> OneVersusRest:
        """Each class against the rest, shape ``(..., K)``."""
        return OneVersusRest.of(self.confusion)


@dataclass(frozen=True)
class Values:
    """One metric under each row of weights.

    Attributes:
        overall: The headline, shape ``(...)``.
        per_class: Each class against the rest, shape ``(..., K)``; None for a metric over all.
        averages: Over the classes, by name: shape ``(...)``; empty for a metric over all.
    """

    overall: FloatArray
    per_class: FloatArray | None = None
    averages: Mapping[str, FloatArray] = field(default_factory=dict)

    def of(self, part: int | str | None) -> FloatArray:
        """The values of one class, of one average, or the headline for None."""
        if part is None:
            return self.overall
        if isinstance(part, str):
            return self.averages[part]
        if self.per_class is None:
            raise ValueError("a metric over all classes has no value for one class")
        return self.per_class[..., part]

    @classmethod
    def from_classes(
        cls, per_class: FloatArray, evidence: Evidence, pooled: FloatArray | None = None
    ) -> "Values":
        """The headline is the positive class's value, or the mean over all classes.

        The mean is undefined as soon as one class is.

        Args:
            per_class: Each class against the rest, shape ``(..., K)``.
            evidence: What it was measured of.
            pooled: The micro average, where there is one.
        """
        macro = per_class.mean(axis=-1)
        index = evidence.positive_index
        overall = macro if index is None else per_class[..., index]
        averages = {"macro": macro, "weighted": _weighted(per_class, evidence.counts.positives)}
        return cls(
            overall, per_class, averages if pooled is None else {**averages, "micro": pooled}
        )

    @classmethod
    def undefined(cls, evidence: Evidence) -> "Values":
        """NaN for the headline and for each class."""
        return cls(np.array(np.nan), np.full(evidence.classes, np.nan))


def _weighted(per_class: FloatArray, tiles: FloatArray) -> FloatArray:
    """Mean weighted by the tiles of each class; one without tiles has no say."""
    total = tiles.sum(axis=-1, keepdims=True)
    shares = np.divide(tiles, total, out=np.zeros_like(tiles), where=total != 0)
    parts = np.where(shares > 0, shares * per_class, 0.0)
    return np.where(total[..., 0] > 0, parts.sum(axis=-1), np.nan)
