"""Confusion matrices, and their view of one class against the rest."""

from typing import NamedTuple, Self

import numpy as np

from histocli.metrics.definitions.arrays import FloatArray, IntArray
from histocli.metrics.definitions.weights import Weights, weighted_sums


def confusion_matrix(
    label_indices: IntArray,
    predicted_indices: IntArray,
    classes: int,
    weights: Weights = None,
) -> FloatArray:
    """Count the tiles of each true and predicted class.

    Args:
        label_indices: True class of each tile, shape ``(N,)``.
        predicted_indices: Predicted class of each tile, shape ``(N,)``.
        classes: Number of classes K.
        weights: How often each tile counts; once when None.

    Returns:
        Counts, shape ``(..., K, K)``: rows true, columns predicted.
    """
    cells = label_indices * classes + predicted_indices
    counts = weighted_sums(cells, None, classes * classes, weights)
    return counts.reshape(*counts.shape[:-1], classes, classes)


class OneVersusRest(NamedTuple):
    """Counts of one class against the rest, each of shape ``(..., K)``."""

    true_positives: FloatArray
    false_positives: FloatArray
    false_negatives: FloatArray
    true_negatives: FloatArray

    @classmethod
    def of(cls, confusion: FloatArray) -> Self:
        """Every class of a confusion matrix ``(..., K, K)`` against the rest."""
        hits = np.diagonal(confusion, axis1=-2, axis2=-1)
        labelled = confusion.sum(axis=-1)
        predicted = confusion.sum(axis=-2)
        total = confusion.sum(axis=(-2, -1))[..., np.newaxis]
        return cls(hits, predicted - hits, labelled - hits, total - labelled - predicted + hits)

    @property
    def pooled(self) -> Self:
        """The counts of all classes added up, for micro averages; each of shape ``(...)``."""
        return type(self)(*(count.sum(axis=-1) for count in self))

    @property
    def positives(self) -> FloatArray:
        """Tiles of the class."""
        return self.true_positives + self.false_negatives

    @property
    def negatives(self) -> FloatArray:
        """Tiles of the other classes."""
        return self.true_negatives + self.false_positives

    @property
    def predicted_positives(self) -> FloatArray:
        """Tiles predicted as the class."""
        return self.true_positives + self.false_positives

    @property
    def predicted_negatives(self) -> FloatArray:
        """Tiles predicted as another class."""
        return self.true_negatives + self.false_negatives
