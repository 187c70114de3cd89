"""Analyses that only an earlier evaluation was asked for: they hold where nothing changed."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from histocli.atomic_files import parse_json

# Keys of ``metrics.json`` that are there on request only.
ON_REQUEST = ("at_prevalence", "operating_points", "subgroups", "aggregated", "stress")
# What all of them rest on, beside the predictions.
COMMON = ("split", "threshold", "confidence", "bootstrap_samples", "positive_class")


def read_earlier(folder: Path) -> tuple[bytes, Mapping[str, Any]]:
    """Predictions and metrics of an evaluation; empty where there is none that can be read."""
    try:
        predictions = (folder / "predictions.csv").read_bytes()
        metrics = parse_json((folder / "metrics.json").read_bytes())
    except (OSError, ValueError):
        return b"", {}
    return (predictions, metrics) if isinstance(metrics, dict) else (b"", {})


def still_valid(earlier: Mapping[str, Any], metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Analyses on request of the earlier metrics that the new ones lack, of the same predictions.

    Args:
        earlier: Metrics of the same predictions.
        metrics: As they are now; nothing is kept if they rest on other settings.
    """
    if any(earlier.get(key) != metrics.get(key) for key in COMMON):
        return {}
    return {key: earlier[key] for key in ON_REQUEST if key in earlier and key not in metrics}
