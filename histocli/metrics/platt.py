"""Platt scaling: a logistic curve over the log odds, one for each class against the rest."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.special import expit

from histocli.metrics.definitions.arrays import BoolArray, FloatArray, IntArray
from histocli.metrics.logistic import fit_logistic
from histocli.metrics.logits import log_odds

# Nearer to 0 or 1 the sum over the classes could become zero.
LEAST_PROBABILITY = 1e-9


def fit_platt(probabilities: FloatArray, labels: IntArray) -> dict[str, Any]:
    """Slope and intercept of each class, with Platt's targets, which keep perfect separation finite.

    ``p' = 1 / (1 + exp(-(a ln(p / (1 - p)) + b)))``; the targets are ``(n+ + 1) / (n+ + 2)`` and
    ``1 / (n- + 2)`` in place of 1 and 0.

    Args:
        probabilities: Shape ``(N, K)``, as the model gives them on the validation split.
        labels: True class, -1 where unknown (left out), shape ``(N,)``.

    Source:
        Platt, Probabilistic Outputs for Support Vector Machines, 1999. Differs in: the input is the log
        odds of the model's probability; with more than two classes one versus the rest, renormalised
        (Zadrozny and Elkan, KDD 2002).
    """
    known = labels >= 0
    fits = [
        _fit_class(labels[known] == index, probabilities[known, index])
        for index in range(probabilities.shape[1])
    ]
    return {"slopes": [slope for slope, _ in fits], "intercepts": [start for _, start in fits]}


def apply_platt(probabilities: FloatArray, stored: Mapping[str, Any]) -> FloatArray:
    """Calibrated probabilities, shape ``(N, K)``, rows sum to 1."""
    slopes, intercepts = np.array(stored["slopes"]), np.array(stored["intercepts"])
    table = expit(slopes * log_odds(probabilities) + intercepts)
    table = np.clip(table, LEAST_PROBABILITY, 1 - LEAST_PROBABILITY)
    return np.asarray(table / table.sum(axis=1, keepdims=True), np.float64)


def _fit_class(is_class: BoolArray, scores: FloatArray) -> tuple[float, float]:
    positives = int(is_class.sum())
    negatives = len(is_class) - positives
    targets = np.where(is_class, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    features = np.stack([log_odds(scores), np.ones(len(scores))], axis=1)
    slope, intercept = fit_logistic(features, targets, start=np.array([1.0, 0.0])).tolist()
    return slope, intercept
