"""Points of the receiver operating characteristic and precision-recall curves, for figures."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.metrics import precision_recall_curve, roc_curve

from histocli.metrics.definitions.arrays import BoolArray, FloatArray, IntArray


@dataclass(frozen=True)
class Curve:
    """Points of one class's curve; empty where the curve is undefined.

    Attributes:
        x: False positive rate, or recall.
        y: True positive rate, or precision.
        thresholds: The lowest score called positive at each point. It is infinite at the point
            where nothing is.
    """

    x: FloatArray
    y: FloatArray
    thresholds: FloatArray


EMPTY = Curve(np.empty(0), np.empty(0), np.empty(0))


def roc_points(is_positive: BoolArray, scores: FloatArray) -> Curve:
    """False and true positive rates from (0, 0) to (1, 1); empty without positives or negatives."""
    if is_positive.all() or not is_positive.any():
        return EMPTY
    false_rate, true_rate, thresholds = roc_curve(is_positive, scores)
    return Curve(false_rate, true_rate, thresholds)


def precision_recall_points(is_positive: BoolArray, scores: FloatArray) -> Curve:
    """Recall and precision from recall 1 to (0, 1); empty without positives."""
    if not is_positive.any():
        return EMPTY
    precision, recall, thresholds = precision_recall_curve(is_positive, scores)
    return Curve(recall, precision, np.append(thresholds, np.inf))


def roc_curves(
    label_indices: IntArray, probabilities: FloatArray, classes: Sequence[str]
) -> dict[str, Curve]:
    """The receiver operating characteristic of each class against the rest.

    Args:
        label_indices: True class, -1 where unknown (left out), shape ``(N,)``.
        probabilities: Shape ``(N, K)``.
        classes: Class names in the model's order.
    """
    return _of_each_class(roc_points, label_indices, probabilities, classes)


def precision_recall_curves(
    label_indices: IntArray, probabilities: FloatArray, classes: Sequence[str]
) -> dict[str, Curve]:
    """The precision-recall curve of each class against the rest.

    Args:
        label_indices: True class, -1 where unknown (left out), shape ``(N,)``.
        probabilities: Shape ``(N, K)``.
        classes: Class names in the model's order.
    """
    return _of_each_class(precision_recall_points, label_indices, probabilities, classes)


def _of_each_class(
    points: Callable[[BoolArray, FloatArray], Curve],
    label_indices: IntArray,
    probabilities: FloatArray,
    classes: Sequence[str],
) -> dict[str, Curve]:
    labelled = np.flatnonzero(label_indices >= 0)
    return {
        name: points(label_indices[labelled] == index, probabilities[labelled, index])
        for index, name in enumerate(classes)
    }
