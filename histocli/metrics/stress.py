"""AUROC against the strength of a disturbance, as ``metrics.json`` has it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from histocli.metrics.definitions.arrays import FloatArray
from histocli.metrics.definitions.auroc import auroc
from histocli.metrics.definitions.weights import Weights
from histocli.metrics.labelled import Labelled
from histocli.metrics.uncertainty import Uncertainty


@dataclass(frozen=True)
class Disturbed:
    """Predictions of disturbed tiles.

    Attributes:
        perturbation: What was done.
        unit: Of the strength.
        strength: 0 leaves tiles as they are.
        tiles: The same tiles, in the same order, for every strength.
    """

    perturbation: str
    unit: str
    strength: float
    tiles: Labelled


def stress_section(
    undisturbed: Labelled, disturbed: Sequence[Disturbed], uncertainty: Uncertainty
) -> dict[str, Any]:
    """Tabulate.

    Args:
        undisturbed: The same tiles as they are.
        disturbed: In the order of the table.
        uncertainty: How intervals are made; differences are resampled in pairs.

    Returns:
        The number of tiles, and by perturbation its unit and one point for each strength: AUROC and its
        difference from that of the undisturbed tiles, and the share of decisions that changed.
    """
    found: dict[str, Any] = {}
    for each in disturbed:
        entry = found.setdefault(each.perturbation, {"unit": each.unit, "points": []})
        entry["points"].append(_point(undisturbed, each, uncertainty))
    start = _records(undisturbed, undisturbed, uncertainty)
    return {"tiles": len(undisturbed), "auroc": start["auroc"], "perturbations": found}


def _point(before: Labelled, after: Disturbed, uncertainty: Uncertainty) -> dict[str, Any]:
    return {
        "strength": after.strength,
        **_records(before, after.tiles, uncertainty),
        "decisions_changed": float((before.predicted != after.tiles.predicted).mean()),
    }


def _records(before: Labelled, after: Labelled, uncertainty: Uncertainty) -> Mapping[str, Any]:
    def statistics(weights: Weights) -> dict[str, FloatArray]:
        score = class_auroc(after, after.probabilities, weights)
        start = class_auroc(before, before.probabilities, weights)
        return {"auroc": score, "difference": score - start}

    return uncertainty.records(statistics, before.labels, before.clusters)


def class_auroc(tiles: Labelled, probabilities: FloatArray, weights: Weights) -> FloatArray:
    """AUROC of the positive class, or the mean over the classes, of some probabilities of the tiles.

    Args:
        tiles: With their labels.
        probabilities: Shape ``(N, K)``.
        weights: How often each tile counts; once when None.

    Returns:
        Shape ``(...)``; NaN where a class that is shown has no tile.
    """
    scores = [
        auroc(tiles.is_class(index), probabilities[:, index], weights)
        for index in tiles.shown_classes
    ]
    return np.asarray(np.mean(scores, axis=0), np.float64)
