"""Does the model know anything about the explained tiles?"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from histocli.explain.scores.clustered_mean import SAMPLES, clustered_means, number_groups
from histocli.metrics.definitions.arrays import BoolArray, FloatArray
from histocli.metrics.definitions.auroc import auroc
from histocli.metrics.intervals import UNDEFINED, percentile_interval
from histocli.metrics.resampling import clustered_weights, stratified_weights


def skill_of_ranking(
    is_positive: BoolArray, probabilities: FloatArray, groups: Sequence[str | None], seed: int
) -> dict[str, Any]:
    """AUROC with a bootstrap interval that respects groups; chance is one half.

    Args:
        is_positive: Shape ``(N,)``.
        probabilities: Of the positive class, shape ``(N,)``.
        groups: Patient or slide of each tile.
        seed: Of the bootstrap.
    """
    value = float(auroc(is_positive, probabilities))
    clusters = number_groups(groups)
    resampled = (
        stratified_weights(is_positive.astype(np.int64), SAMPLES, seed)
        if clusters is None
        else clustered_weights(clusters, SAMPLES, seed)
    )
    replicates = [auroc(is_positive, probabilities, weights) for weights in resampled]
    interval = percentile_interval(np.concatenate(replicates))
    reason = {} if interval.reason is None else {"reason": interval.reason}
    return {
        "metric": "auroc",
        "value": value,
        "ci_low": interval.low,
        "ci_high": interval.high,
        "chance": 0.5,
        **reason,
    }


def skill_of_decisions(
    labels: Sequence[str], predicted: Sequence[str], groups: Sequence[str | None], seed: int
) -> dict[str, Any]:
    """Accuracy with a bootstrap interval; chance is that of always naming the most frequent class."""
    correct = np.array([one == other for one, other in zip(labels, predicted, strict=True)], float)
    (estimate,) = clustered_means([correct], groups, seed)
    counts = [list(labels).count(name) for name in set(labels)]
    chance = max(counts) / len(labels) if counts else UNDEFINED
    return {"metric": "accuracy", **estimate, "chance": chance}
