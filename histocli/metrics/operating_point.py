"""The operating point: from probabilities to decisions."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from histocli.errors import InputError
from histocli.metrics.definitions.arrays import FloatArray
from histocli.metrics.definitions.ranking import counts_by_score

DEFAULT_THRESHOLD = 0.5


def youden_threshold(labels01: ArrayLike, scores: ArrayLike) -> float:
    """Threshold with the largest sensitivity + specificity - 1, for ``score >= threshold``.

    The threshold lies in the middle of the gap between the lowest score called positive and the
    next, so that a small change of the scores decides no tile otherwise. Among equally good cuts
    the one in the widest gap is taken, then the highest. Where no cut is better than chance it is
    0.5.

    Args:
        labels01: 1 for tiles of the positive class, 0 for the others, shape ``(N,)``.
        scores: Probability of the positive class, shape ``(N,)``.

    Raises:
        InputError: If one of the two classes has no tile.

    Source:
        Youden, Cancer 3 (1950) 32-35.
    """
    is_positive = np.asarray(labels01).astype(np.bool_)
    values = np.asarray(scores, np.float64)
    positives, negatives = counts_by_score(is_positive, values)
    if positives.sum() == 0 or negatives.sum() == 0:
        raise InputError(
            "an operating point needs labelled tiles of both classes in the validation split: "
            "add tiles of the missing class to it"
        )
    distinct = np.unique(values)
    # A cut after score i calls the scores above i positive; both quotients over one denominator.
    missed, rejected = np.cumsum(positives)[:-1], np.cumsum(negatives)[:-1]
    gain = rejected * positives.sum() - missed * negatives.sum()
    if gain.size == 0 or gain.max() <= 0:
        return DEFAULT_THRESHOLD
    best = np.flatnonzero(gain == gain.max())
    gaps = distinct[best + 1] - distinct[best]
    cut = int(best[np.flatnonzero(gaps == gaps.max())[-1]])
    low, high = float(distinct[cut]), float(distinct[cut + 1])
    middle = low + (high - low) / 2
    return middle if middle > low else high


def decide(
    probabilities: FloatArray,
    classes: Sequence[str],
    positive_class: str,
    threshold: float | None,
) -> list[str]:
    """Name the predicted class of each tile.

    Args:
        probabilities: Shape ``(N, K)``.
        classes: Class names in the model's order.
        positive_class: With two classes, the one that the threshold belongs to.
        threshold: With two classes, the lowest probability called positive (0.5 when None); with
            more classes the most probable is taken, the first of equals.

    Raises:
        InputError: If two classes do not hold the positive class.
    """
    if len(classes) != 2:
        return [classes[index] for index in probabilities.argmax(axis=1).tolist()]
    if positive_class not in classes:
        raise InputError(
            f"the positive class {positive_class!r} is not one of the classes "
            f"{' and '.join(classes)}; choose one of them"
        )
    positive = list(classes).index(positive_class)
    is_positive = probabilities[:, positive] >= (
        DEFAULT_THRESHOLD if threshold is None else threshold
    )
    return [classes[positive if called else 1 - positive] for called in is_positive.tolist()]
