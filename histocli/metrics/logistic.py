"""Logistic regression on a few features by Newton's method, without a penalty."""

import numpy as np
from scipy.special import expit

from histocli.metrics.definitions.arrays import FloatArray

STEPS, TOLERANCE = 100, 1e-10


def fit_logistic(
    features: FloatArray,
    targets: FloatArray,
    start: FloatArray,
    offset: FloatArray | float = 0.0,
) -> FloatArray:
    """Coefficients under which the targets are most likely; ``expit(features @ c + offset)``.

    A Newton step that makes the loss larger is halved. Where a single feature does not vary, its
    coefficient is the shortest that serves.

    Args:
        features: Shape ``(N, F)``, a column of ones for an intercept.
        targets: Between 0 and 1, shape ``(N,)``.
        start: First guess, shape ``(F,)``.
        offset: Added to the linear part, shape ``(N,)``.

    Returns:
        Shape ``(F,)``. Not finite only if the features are not.
    """
    coefficients = start.astype(np.float64)
    loss = _loss(features @ coefficients + offset, targets)
    for _ in range(STEPS):
        expected = expit(features @ coefficients + offset)
        gradient = features.T @ (expected - targets)
        curvature = (features * (expected * (1 - expected))[:, np.newaxis]).T @ features
        step = np.linalg.pinv(curvature, hermitian=True) @ gradient
        fraction = 1.0
        while fraction > 1e-6:
            candidate = coefficients - fraction * step
            candidate_loss = _loss(features @ candidate + offset, targets)
            if candidate_loss <= loss:
                break
            fraction /= 2
        else:
            break
        moved = float(np.abs(candidate - coefficients).max())
        coefficients, loss = candidate, candidate_loss
        if moved < TOLERANCE:
            break
    return coefficients


def _loss(linear: FloatArray, targets: FloatArray) -> float:
    return float((np.logaddexp(0, linear) - targets * linear).sum())
