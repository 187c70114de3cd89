"""The figures of one evaluation: those of every one, and one for each further analysis."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from histocli.predictions import Predictions
from histocli.report.calibration_figure import calibration_figure
from histocli.report.confusion_figure import confusion_figure
from histocli.report.curve_figures import precision_recall_figure, roc_figure
from histocli.report.decision_curve_figure import decision_curve_figure
from histocli.report.selective_figure import selective_figure
from histocli.report.stress_figure import stress_figure
from histocli.report.subgroup_figure import subgroup_figure

# The sheet of doubtful labels, drawn where tiles can be read.
SUSPICIOUS = "suspicious_labels"
# By the key of `metrics.json` that they show: to add one, write its file and add its line.
ANALYSIS_FIGURES: dict[str, Callable[[Mapping[str, Any], Path], Path]] = {
    "decision_curve": decision_curve_figure,
    "selective": selective_figure,
    "subgroups": subgroup_figure,
    "stress": stress_figure,
}


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
        *_of_analyses(metrics, folder),
    ]


def _of_analyses(metrics: Mapping[str, Any], folder: Path) -> list[Path]:
    """Those of the analyses that were made; what an earlier evaluation left is removed."""
    for name in (*ANALYSIS_FIGURES, SUSPICIOUS):
        (folder / f"{name}.png").unlink(missing_ok=True)
    return [
        draw(metrics, folder / f"{name}.png")
        for name, draw in ANALYSIS_FIGURES.items()
        if name in metrics
    ]
