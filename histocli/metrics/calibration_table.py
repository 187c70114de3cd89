"""Calibration as the model gives it and after the stored calibration, side by side."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from histocli.metrics.calibration_slope import calibration_slope
from histocli.metrics.definitions.arrays import BoolArray, FloatArray
from histocli.metrics.definitions.brier import brier
from histocli.metrics.definitions.expected_calibration_error import (
    CALIBRATION_BINS,
    expected_calibration_error,
)
from histocli.metrics.definitions.log_loss import log_loss
from histocli.metrics.definitions.weights import Weights
from histocli.metrics.equal_mass import equal_mass_calibration_error
from histocli.metrics.labelled import Labelled
from histocli.metrics.murphy import murphy_decomposition
from histocli.metrics.uncertainty import Uncertainty

# Chance adds to what is a mean distance or square within bins.
GROW_BY_CHANCE = (
    "expected_calibration_error",
    "equal_mass_calibration_error",
    "brier_reliability",
    "brier_resolution",
)


def calibration_section(
    tiles: Labelled, stored: Mapping[str, Any], uncertainty: Uncertainty
) -> dict[str, Any]:
    """What ``metrics.json`` says of calibration, before and after.

    Args:
        tiles: Of the split that is judged.
        stored: The run's calibration; empty without one.
        uncertainty: How intervals are made.
    """
    tables = {"as_given": tiles.probabilities}
    if tiles.calibrated is not None:
        tables["calibrated"] = tiles.calibrated
    method = stored.get("method", "temperature") if stored else None
    return {
        "method": method,
        "fitted_on": stored.get("fitted_on", "valid") if stored else None,
        "bins": CALIBRATION_BINS,
        **{name: _of_table(tiles, table, uncertainty) for name, table in tables.items()},
    }


def _of_table(tiles: Labelled, table: FloatArray, uncertainty: Uncertainty) -> dict[str, Any]:
    def overall(weights: Weights) -> dict[str, FloatArray]:
        return {"log_loss": log_loss(tiles.labels, table, weights)}

    return {
        **uncertainty.records(overall, tiles.labels, tiles.clusters),
        "per_class": {
            tiles.classes[index]: _of_class(tiles, index, table[:, index], uncertainty)
            for index in tiles.shown_classes
        },
    }


def _of_class(
    tiles: Labelled, index: int, scores: FloatArray, uncertainty: Uncertainty
) -> dict[str, Any]:
    is_class: BoolArray = tiles.is_class(index)

    def statistics(weights: Weights) -> dict[str, FloatArray]:
        parts = murphy_decomposition(is_class, scores, weights)
        return {
            "expected_calibration_error": expected_calibration_error(is_class, scores, weights),
            "equal_mass_calibration_error": equal_mass_calibration_error(is_class, scores, weights),
            "brier": brier(is_class, scores, weights),
            **{f"brier_{name}": np.asarray(part) for name, part in parts.items()},
        }

    return {
        **uncertainty.records(statistics, tiles.labels, tiles.clusters, GROW_BY_CHANCE),
        **calibration_slope(is_class, scores, tiles.clusters, uncertainty.confidence),
    }
