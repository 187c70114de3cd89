"""What a score is worth: what color alone reaches, and what the most frequent class does."""

from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from histocli.metrics.definitions.arrays import FloatArray, IntArray
from histocli.metrics.definitions.weights import Weights, mean_under
from histocli.metrics.labelled import Labelled
from histocli.metrics.records import Record
from histocli.metrics.stress import class_auroc
from histocli.metrics.uncertainty import Uncertainty


def majority_section(train_labels: IntArray | None, tiles: Labelled) -> dict[str, Any]:
    """Accuracy of always naming one class: the most frequent one of training, where that is known."""
    source = tiles.labels if train_labels is None else train_labels
    majority = int(np.bincount(source, minlength=len(tiles.classes)).argmax())
    return {
        "class": tiles.classes[majority],
        "most_frequent_in": "this split" if train_labels is None else "train",
        "accuracy": float((tiles.labels == majority).mean()),
    }


def color_probabilities(
    train_features: FloatArray, train_labels: IntArray, features: FloatArray, classes: int
) -> FloatArray:
    """Class probabilities of a logistic regression on color statistics.

    Args:
        train_features: Of the training tiles, shape ``(N, F)``.
        train_labels: Their classes, shape ``(N,)``.
        features: Of the tiles to be judged, shape ``(M, F)``.
        classes: Number of classes of the model; one without a training tile has probability 0.

    Returns:
        Shape ``(M, classes)``, rows sum to 1.
    """
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=5000))
    model.fit(train_features, train_labels)
    table = np.zeros((len(features), classes))
    table[:, model.classes_] = model.predict_proba(features)
    return table


def color_section(
    tiles: Labelled, probabilities: FloatArray, uncertainty: Uncertainty
) -> dict[str, Record]:
    """AUROC and accuracy of the color baseline, and what the model adds to its AUROC.

    Args:
        tiles: Of the split that is judged.
        probabilities: Of the color baseline for these tiles, shape ``(N, K)``.
        uncertainty: How intervals are made; the difference is resampled in pairs.
    """
    right = (probabilities.argmax(axis=1) == tiles.labels).astype(np.float64)

    def statistics(weights: Weights) -> dict[str, FloatArray]:
        score = class_auroc(tiles, probabilities, weights)
        return {
            "auroc": score,
            "accuracy": mean_under(right, weights),
            "model_adds_auroc": class_auroc(tiles, tiles.probabilities, weights) - score,
        }

    return uncertainty.records(statistics, tiles.labels, tiles.clusters)
