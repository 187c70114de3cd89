"""What every metric is computed from, and the values that come out."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from histocli.metrics.definitions.arrays import FloatArray, IntArray
from histocli.metrics.definitions.confusion import OneVersusRest, confusion_matrix


@dataclass(frozen=True)
class Evidence:
    """Labelled tiles with their predictions, counted as the weights say.

    Attributes:
        label_indices: True class of each tile, shape ``(N,)``.
        predicted_indices: Class decided at the operating point, shape ``(N,)``.
        probabilities: Shape ``(N, K)``.
        positive_index: The class whose view is the headline; None for the macro average.
        weights: How often each tile counts, shape ``(..., N)``: one row per resampling.
    """

    label_indices: IntArray
    predicted_indices: IntArray
    probabilities: FloatArray
    positive_index: int | None
    weights: FloatArray

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
    """

    overall: FloatArray
    per_class: FloatArray | None = None

    def of(self, class_index: int | None) -> FloatArray:
        """The values of one class, or the headline for None."""
        if class_index is None:
            return self.overall
        if self.per_class is None:
            raise ValueError("a metric over all classes has no value for one class")
        return self.per_class[..., class_index]

    @classmethod
    def from_classes(cls, per_class: FloatArray, evidence: Evidence) -> "Values":
        """The headline is the positive class's value, or the mean over all classes.

        The mean is undefined as soon as one class is.
        """
        if evidence.positive_index is None:
            return cls(per_class.mean(axis=-1), per_class)
        return cls(per_class[..., evidence.positive_index], per_class)

    @classmethod
    def undefined(cls, evidence: Evidence) -> "Values":
        """NaN for the headline and for each class."""
        return cls(np.array(np.nan), np.full(evidence.classes, np.nan))
