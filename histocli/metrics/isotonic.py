"""Isotonic calibration: the rising step curve that fits best, one for each class against the rest."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.isotonic import IsotonicRegression

from histocli.metrics.definitions.arrays import FloatArray, IntArray


def fit_isotonic(probabilities: FloatArray, labels: IntArray) -> dict[str, Any]:
    """Knots of a rising curve for each class.

    The curve stays ``1 / (n + 2)`` away from 0 and 1, n being the tiles it was fitted on: that no tile
    of a bin was positive does not make the next one impossible.

    Args:
        probabilities: Shape ``(N, K)``, as the model gives them on the validation split.
        labels: True class, -1 where unknown (left out), shape ``(N,)``.

    Source:
        Zadrozny and Elkan, Transforming Classifier Scores into Accurate Multiclass Probability
        Estimates, KDD 2002. Differs in: kept away from 0 and 1.
    """
    known = labels >= 0
    least = 1 / (int(known.sum()) + 2)
    knots = []
    for index in range(probabilities.shape[1]):
        fitted = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(
            probabilities[known, index], labels[known] == index
        )
        heights = np.clip(fitted.y_thresholds_, least, 1 - least)
        knots.append({"from": fitted.X_thresholds_.tolist(), "to": heights.tolist()})
    return {"knots": knots}


def apply_isotonic(probabilities: FloatArray, stored: Mapping[str, Any]) -> FloatArray:
    """Calibrated probabilities, shape ``(N, K)``, rows sum to 1; straight lines between the knots."""
    columns = [
        np.interp(probabilities[:, index], curve["from"], curve["to"])
        for index, curve in enumerate(stored["knots"])
    ]
    table = np.stack(columns, axis=1)
    return np.asarray(table / table.sum(axis=1, keepdims=True), np.float64)
