"""``metrics.json``: every metric of some predictions, with its interval and what it rests on."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from histocli.errors import InputError
from histocli.metrics.definitions import METRICS
from histocli.metrics.definitions.arrays import FloatArray, IntArray
from histocli.metrics.definitions.evidence import Evidence
from histocli.metrics.definitions.expected_calibration_error import CALIBRATION_BINS
from histocli.metrics.records import metric_records
from histocli.predictions import Predictions

CALIBRATED_METRICS = ("brier", "expected_calibration_error", "log_loss")


def evaluate(
    predictions: Predictions,
    *,
    split: str,
    positive_class: str,
    threshold: float | None,
    confidence: float = 0.95,
    bootstrap_samples: int = 1000,
    seed: int = 0,
) -> dict[str, Any]:
    """Measure predictions against their labels; the content of ``metrics.json``.

    Sensitivity and the other metrics of decisions use the stored decisions, ``predicted``. With two
    classes the headline is the positive class's view; with more it is the mean over the classes,
    undefined as soon as one class is, and neither positive class nor threshold plays a part. Where
    groups are given, intervals come from resampling groups, and ``ci_unclustered`` from treating
    the tiles as independent; a tile without a group then counts as a group of its own.

    Args:
        predictions: Tiles without a label are left out and counted.
        split: Name of the split, recorded.
        positive_class: The class that is looked for.
        threshold: Operating point behind ``predicted``, recorded; None with more than two classes.
        confidence: Of the intervals.
        bootstrap_samples: Number of resampled tables; 0 leaves only Wilson's intervals.
        seed: Of the resampling.

    Returns:
        Plain numbers, strings, lists and dicts as ``metrics.schema.json`` describes them; what is
        undefined is None, and has a reason.

    Raises:
        InputError: If no tile has a label, or a label, decision or the positive class is unknown.
    """
    classes = list(predictions.classes)
    labels = predictions.label_indices
    labelled = np.flatnonzero(labels >= 0)
    if labelled.size == 0:
        raise InputError(
            f"no tile of {split} has a label, so there is nothing to compare with: add a label "
            "column to its table, or sort its tiles into class folders; `histo predict` needs none"
        )
    binary = len(classes) == 2
    evidence = Evidence(
        label_indices=labels[labelled],
        predicted_indices=_predicted_indices(predictions)[labelled],
        probabilities=predictions.probabilities[labelled],
        positive_index=_index_of(positive_class, classes) if binary else None,
        weights=np.ones(labelled.size),
    )
    groups = [predictions.groups[row] for row in labelled.tolist()]
    clusters = _clusters(groups)
    headline, per_class = metric_records(
        evidence,
        names=tuple(METRICS),
        classes=classes,
        clusters=clusters,
        confidence=confidence,
        bootstrap_samples=bootstrap_samples,
        seed=seed,
    )
    result: dict[str, Any] = {
        "split": split,
        "tiles": int(labelled.size),
        "unlabelled": len(predictions.tiles) - int(labelled.size),
        "groups": None if clusters is None else len({group for group in groups if group}),
        "classes": classes,
        "positive_class": positive_class if binary else None,
        "threshold": float(threshold) if binary and threshold is not None else None,
        "prevalence": dict(zip(classes, _prevalence(evidence).tolist(), strict=True)),
        "confidence": confidence,
        "bootstrap_samples": bootstrap_samples,
        "calibration_bins": CALIBRATION_BINS,
        "confusion_matrix": evidence.confusion.astype(np.int64).tolist(),
        "metrics": headline,
        "per_class": per_class,
    }
    if predictions.calibrated is not None:
        calibrated = Evidence(
            label_indices=evidence.label_indices,
            predicted_indices=evidence.predicted_indices,
            probabilities=predictions.calibrated[labelled],
            positive_index=evidence.positive_index,
            weights=evidence.weights,
        )
        result["calibrated"], _ = metric_records(
            calibrated,
            names=CALIBRATED_METRICS,
            classes=classes,
            clusters=clusters,
            confidence=confidence,
            bootstrap_samples=bootstrap_samples,
            seed=seed,
        )
    return result


def _predicted_indices(predictions: Predictions) -> IntArray:
    return np.array(
        [_index_of(name, predictions.classes) for name in predictions.predicted], np.int64
    )


def _index_of(name: str, classes: Sequence[str]) -> int:
    if name not in classes:
        raise InputError(
            f"{name!r} is not one of the model's classes ({', '.join(classes)}); name one of them"
        )
    return list(classes).index(name)


def _clusters(groups: Sequence[str | None]) -> IntArray | None:
    """Number the groups in order of appearance; a tile without one is a cluster of its own."""
    if not any(groups):
        return None
    numbers: dict[str | tuple[int], int] = {}
    keys = [group or (row,) for row, group in enumerate(groups)]
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys], np.int64)


def _prevalence(evidence: Evidence) -> FloatArray:
    counts = np.bincount(evidence.label_indices, minlength=evidence.classes)
    return np.asarray(counts / counts.sum(), np.float64)
