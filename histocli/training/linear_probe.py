"""The best linear classifier on fixed features, its strength of regularisation chosen on validation."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from histocli.metrics.definitions.auroc import auroc
from histocli.metrics.ranking import rank

# Inverse strengths: from a head that hardly moves to one that is hardly held.
STRENGTHS = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 1e-1)
ITERATIONS = 500


@dataclass(frozen=True)
class LinearProbe:
    """A linear classifier.

    Attributes:
        weight: Shape ``(K, F)``.
        bias: Shape ``(K,)``.
        strength: Of the regularisation, scikit-learn's C.
        score: AUROC on validation, the mean over the classes; NaN where a class is absent from it.
        loss: Cross-entropy on validation.
    """

    weight: NDArray[np.float64]
    bias: NDArray[np.float64]
    strength: float
    score: float = float("nan")
    loss: float = float("inf")

    def logits(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Logits ``(N, K)`` of features ``(N, F)``."""
        return features.astype(np.float64) @ self.weight.T + self.bias


def fit_linear_probe(
    features: NDArray[np.float32],
    labels: NDArray[np.int64],
    valid_features: NDArray[np.float32],
    valid_labels: NDArray[np.int64],
    *,
    classes: int,
    balanced: bool = False,
    check: Callable[[], None] = lambda: None,
) -> LinearProbe:
    """Fit a logistic regression for each strength; keep the one with the best validation AUROC.

    Features are standardised first; that is folded into the weights, so the result applies to features
    as they are. With two classes both get half of the one logit, with opposite signs.

    Args:
        features: Shape ``(N, F)``.
        labels: Class indices ``(N,)``, every class among them.
        valid_features: Those to choose on.
        valid_labels: Theirs.
        classes: Number of classes.
        balanced: Weigh tiles by the inverse frequency of their class.
        check: Called before each fit; may raise to stop.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    mean = features.mean(axis=0, dtype=np.float64)
    deviation = features.std(axis=0, dtype=np.float64)
    scale = 1 / np.where(deviation > 0, deviation, 1.0)
    standardized = (features - mean) * scale
    best: LinearProbe | None = None
    for strength in STRENGTHS:
        check()
        regression = LogisticRegression(
            C=strength, max_iter=ITERATIONS, class_weight="balanced" if balanced else None
        )
        with warnings.catch_warnings():
            # The weakest strengths may end at the limit; validation judges what they reached.
            warnings.simplefilter("ignore", ConvergenceWarning)
            regression.fit(standardized, labels)
        weight, bias = regression.coef_ * scale, regression.intercept_
        bias = bias - weight @ mean
        if classes == 2:
            weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
        logits = LinearProbe(weight, bias, strength).logits(valid_features)
        scores = [auroc(valid_labels == k, logits[:, k] - logits.mean(1)) for k in range(classes)]
        chances = log_softmax(logits, axis=1)[np.arange(len(valid_labels)), valid_labels]
        probe = LinearProbe(weight, bias, strength, float(np.mean(scores)), -float(chances.mean()))
        if best is None or rank(probe.score, probe.loss) > rank(best.score, best.loss):
            best = probe
    if best is None:
        raise AssertionError("there is a strength")
    return best
