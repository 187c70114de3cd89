"""``metrics.json``: every metric of some predictions, with its interval and what it rests on."""

from dataclasses import replace
from typing import Any

import numpy as np

from histocli.metrics.confusion_shares import confusion_shares
from histocli.metrics.definitions import metrics_of
from histocli.metrics.definitions.arrays import FloatArray
from histocli.metrics.definitions.evidence import Evidence
from histocli.metrics.definitions.expected_calibration_error import CALIBRATION_BINS
from histocli.metrics.labelled import Labelled
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
    proportion_interval: str = "wilson",
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
        proportion_interval: ``wilson`` or ``clopper-pearson``, where tiles are independent.

    Returns:
        Plain numbers, strings, lists and dicts as ``metrics.schema.json`` describes them; what is
        undefined is None, and has a reason.

    Raises:
        InputError: If no tile has a label, or a label, decision or the positive class is unknown.
    """
    tiles = Labelled.of(predictions, positive_class)
    classes, clusters, evidence = list(tiles.classes), tiles.clusters, tiles.evidence()
    binary = len(classes) == 2
    records = metric_records(
        evidence,
        names=metrics_of(len(classes)),
        classes=classes,
        clusters=clusters,
        confidence=confidence,
        bootstrap_samples=bootstrap_samples,
        seed=seed,
        proportion_interval=proportion_interval,
    )
    result: dict[str, Any] = {
        "split": split,
        "tiles": len(tiles),
        "unlabelled": len(predictions.tiles) - len(tiles),
        "groups": None if clusters is None else len({group for group in tiles.groups if group}),
        "classes": classes,
        "positive_class": positive_class if binary else None,
        "threshold": float(threshold) if binary and threshold is not None else None,
        "prevalence": dict(zip(classes, _prevalence(evidence).tolist(), strict=True)),
        "confidence": confidence,
        "bootstrap_samples": bootstrap_samples,
        "calibration_bins": CALIBRATION_BINS,
        "confusion_matrix": evidence.confusion.astype(np.int64).tolist(),
        "confusion_shares": confusion_shares(
            evidence, clusters, confidence, bootstrap_samples, seed
        ),
        "metrics": records.headline,
        "per_class": records.per_class,
        "averages": records.averages,
    }
    if tiles.calibrated is not None:
        result["calibrated"] = metric_records(
            replace(evidence, probabilities=tiles.calibrated),
            names=CALIBRATED_METRICS,
            classes=classes,
            clusters=clusters,
            confidence=confidence,
            bootstrap_samples=bootstrap_samples,
            seed=seed,
        ).headline
    return result


def _prevalence(evidence: Evidence) -> FloatArray:
    counts = np.bincount(evidence.label_indices, minlength=evidence.classes)
    return np.asarray(counts / counts.sum(), np.float64)
