"""The figures of one evaluation: ROC, precision-recall, confusion, calibration."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from histocli.predictions import Predictions
from histocli.report.calibration_figure import calibration_figure
from histocli.report.confusion_figure import confusion_figure
from histocli.report.curve_figures import precision_recall_figure, roc_figure


def evaluation_figures(
    predictions: Predictions, metrics: Mapping[str, Any], folder: Path
) -> list[Path]:
    """Draw what ``metrics.json`` says.

    Args:
        predictions: Of one split; tiles without a label are left out.
        metrics: The content of ``metrics.json`` of the same split.
        folder: Where to write.

    Returns:
        The PNG files written.
    """
    return [
        roc_figure(predictions, metrics, folder / "roc.png"),
        precision_recall_figure(predictions, metrics, folder / "precision_recall.png"),
        confusion_figure(metrics, folder / "confusion_matrix.png"),
        calibration_figure(predictions, metrics, folder / "calibration.png"),
    ]
