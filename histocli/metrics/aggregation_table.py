"""Metrics of slides or patients, for each way to aggregate."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from histocli.metrics.aggregation import aggregated, mixed_groups
from histocli.metrics.labelled import Labelled
from histocli.metrics.operating_point import DEFAULT_THRESHOLD, youden_threshold
from histocli.metrics.uncertainty import Uncertainty

GROUP_METRICS = (
    "auroc",
    "average_precision",
    "accuracy",
    "balanced_accuracy",
    "sensitivity",
    "specificity",
    "positive_predictive_value",
    "negative_predictive_value",
)


def aggregated_section(
    tiles: Labelled, valid: Labelled | None, methods: Sequence[str], uncertainty: Uncertainty
) -> dict[str, Any]:
    """Aggregate, choose a threshold for groups on the validation split, and measure.

    Args:
        tiles: Of the split that is judged.
        valid: Of the validation split; its groups choose the threshold where both classes are there.
        methods: Keys of ``AGGREGATIONS``.
        uncertainty: How intervals are made; groups are independent of each other.
    """
    return {method: _of_method(tiles, valid, method, uncertainty) for method in methods}


def _of_method(
    tiles: Labelled, valid: Labelled | None, method: str, uncertainty: Uncertainty
) -> dict[str, Any]:
    groups = aggregated(tiles, method)
    threshold: float | None = None
    chosen_by = None
    if groups.positive_index is not None:
        threshold, chosen_by = _threshold(valid, method, groups.positive_index)
        groups = groups.decided(threshold)
    counts = np.bincount(groups.labels, minlength=len(groups.classes)).tolist()
    return {
        "groups": len(groups),
        "groups_per_class": dict(zip(groups.classes, counts, strict=True)),
        "groups_of_several_labels": mixed_groups(tiles),
        "threshold": threshold,
        "chosen_by": chosen_by,
        "metrics": uncertainty.metrics(groups, GROUP_METRICS),
    }


def _threshold(valid: Labelled | None, method: str, positive: int) -> tuple[float, str]:
    if valid is not None and any(valid.groups):
        groups = aggregated(valid, method)
        truth = groups.is_class(positive)
        if 0 < truth.sum() < len(truth):
            threshold = youden_threshold(truth, groups.probabilities[:, positive])
            return threshold, "Youden's index on the groups of the validation split"
    return DEFAULT_THRESHOLD, "default: the validation split lacks groups of both classes"
