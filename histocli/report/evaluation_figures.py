"""The figures of one evaluation: ROC, precision-recall, confusion, calibration."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from histocli.metrics.calibration import ReliabilityBins, reliability_bins
from histocli.metrics.curves import Curve, precision_recall_curves, roc_curves
from histocli.metrics.definitions.arrays import FloatArray, IntArray
from histocli.predictions import Predictions
from histocli.report.style import (
    BLUE,
    FAINT,
    INK,
    MUTED,
    VERMILLION,
    class_line,
    unit_square,
    written_figure,
)
from histocli.report.wording import estimate, metric_label

SIDE = 4.2
# Up to so many classes a cell of the confusion matrix has room for count and share.
CLASSES_WITH_SHARES = 8


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
    labels = predictions.label_indices
    shown = _shown_classes(predictions.classes, metrics)
    paths = [folder / f"{name}.png" for name in ("roc", "precision_recall", "confusion_matrix")]
    _draw_roc(paths[0], labels, predictions, shown, metrics)
    _draw_precision_recall(paths[1], labels, predictions, shown, metrics)
    _draw_confusion(paths[2], metrics)
    paths.append(folder / "calibration.png")
    _draw_calibration(paths[3], labels, predictions, metrics)
    return paths


def _shown_classes(classes: Sequence[str], metrics: Mapping[str, Any]) -> list[str]:
    """Of two classes the curve of the positive one says it all."""
    positive = metrics.get("positive_class")
    return [str(positive)] if len(classes) == 2 and positive in classes else list(classes)


def _draw_roc(
    path: Path,
    labels: IntArray,
    predictions: Predictions,
    shown: Sequence[str],
    metrics: Mapping[str, Any],
) -> None:
    curves = roc_curves(labels, predictions.probabilities, predictions.classes)
    with written_figure(path, SIDE, SIDE) as figure:
        axes = figure.subplots()
        unit_square(axes, "1 \N{MINUS SIGN} specificity", "Sensitivity", _title("ROC", metrics))
        axes.plot([0, 1], [0, 1], color=MUTED, linewidth=0.8, linestyle=":")
        axes.text(0.64, 0.56, "chance", color=MUTED, fontsize=8, va="top")
        _draw_curves(axes, curves, shown, metrics, "auroc")
        point = metrics["metrics"]
        sensitivity, specificity = (point[n]["value"] for n in ("sensitivity", "specificity"))
        if len(shown) == 1 and sensitivity is not None and specificity is not None:
            axes.plot(1 - specificity, sensitivity, "o", color=VERMILLION, zorder=3)
            axes.annotate(
                f"operating point\n(threshold {metrics['threshold']:.3f})",
                (1 - specificity, sensitivity),
                xytext=(8, -4),
                textcoords="offset points",
                va="top",
                fontsize=8,
            )


def _draw_precision_recall(
    path: Path,
    labels: IntArray,
    predictions: Predictions,
    shown: Sequence[str],
    metrics: Mapping[str, Any],
) -> None:
    curves = precision_recall_curves(labels, predictions.probabilities, predictions.classes)
    with written_figure(path, SIDE, SIDE) as figure:
        axes = figure.subplots()
        title = _title("Precision-recall", metrics)
        unit_square(axes, "Sensitivity (recall)", "PPV (precision)", title)
        if len(shown) == 1:
            prevalence = float(metrics["prevalence"][shown[0]])
            axes.axhline(prevalence, color=MUTED, linewidth=0.8, linestyle=":")
            axes.text(0.02, prevalence - 0.03, "chance", color=MUTED, fontsize=8, va="top")
        _draw_curves(axes, curves, shown, metrics, "average_precision")


def _draw_curves(
    axes: Axes,
    curves: Mapping[str, Curve],
    shown: Sequence[str],
    metrics: Mapping[str, Any],
    name: str,
) -> None:
    for position, label in enumerate(shown):
        entry = metrics["per_class"].get(label, {}).get(name)
        text = f"{label}: {metric_label(name)} {estimate(entry)}"
        axes.plot(curves[label].x, curves[label].y, label=text, **class_line(position))
    axes.legend(loc="lower right" if name == "auroc" else "lower left")


def _draw_confusion(path: Path, metrics: Mapping[str, Any]) -> None:
    matrix = np.array(metrics["confusion_matrix"], np.float64)
    classes = metrics["classes"]
    totals = matrix.sum(axis=1, keepdims=True)
    shares = np.divide(matrix, totals, out=np.zeros_like(matrix), where=totals > 0)
    side = max(SIDE, 0.62 * len(classes) + 2)
    with written_figure(path, side, side) as figure:
        axes = figure.subplots()
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        axes.set(title=_title("Confusion", metrics), xlabel="Predicted", ylabel="True")
        ticks = range(len(classes))
        crowded = len(classes) > 3
        axes.set_xticks(
            ticks, classes, rotation=35 if crowded else 0, ha="right" if crowded else "center"
        )
        axes.set_yticks(ticks, classes)
        axes.tick_params(length=0)
        for spine in axes.spines.values():
            spine.set_visible(False)
        for row in ticks:
            for column in ticks:
                text = f"{matrix[row, column]:.0f}"
                if len(classes) <= CLASSES_WITH_SHARES:
                    text += f"\n{shares[row, column]:.0%}"
                color = "white" if shares[row, column] > 0.55 else INK
                axes.text(column, row, text, ha="center", va="center", color=color, fontsize=8)


def _draw_calibration(
    path: Path, labels: IntArray, predictions: Predictions, metrics: Mapping[str, Any]
) -> None:
    """Reliability of the positive class's probability, or of the most probable class's."""
    kept = labels >= 0
    tables = [("as the model gives them", predictions.probabilities, BLUE, "o")]
    if predictions.calibrated is not None:
        tables.append(("calibrated", predictions.calibrated, VERMILLION, "s"))
    positive = metrics.get("positive_class")
    two = len(predictions.classes) == 2 and positive in predictions.classes
    what = f"probability of {positive}" if two else "confidence in the predicted class"
    with written_figure(path, SIDE, SIDE * 1.25) as figure:
        axes, below = figure.subplots(2, 1, height_ratios=[4, 1])
        title = _title("Calibration", metrics)
        unit_square(axes, f"Mean {what}", "Observed share", title)
        axes.plot([0, 1], [0, 1], color=MUTED, linewidth=0.8, linestyle=":")
        for number, (name, table, color, marker) in enumerate(tables):
            outcomes, confidence = _outcomes(labels[kept], table[kept], predictions, positive, two)
            bins = reliability_bins(outcomes, confidence)
            _draw_bins(axes, bins, name, color, marker)
            if number == 0:
                below.bar(bins.centre, bins.count, width=0.9 / len(bins.centre), color=FAINT)
        axes.legend(loc="upper left")
        below.set(xlim=(-0.01, 1.01), ylabel="Tiles", xlabel=f"{what[0].upper()}{what[1:]}")


def _outcomes(
    labels: IntArray,
    probabilities: FloatArray,
    predictions: Predictions,
    positive: str | None,
    two: bool,
) -> tuple[Any, FloatArray]:
    if two:
        index = list(predictions.classes).index(str(positive))
        return labels == index, probabilities[:, index]
    top = probabilities.argmax(axis=1)
    return labels == top, probabilities.max(axis=1)


def _draw_bins(axes: Axes, bins: ReliabilityBins, name: str, color: str, marker: str) -> None:
    filled = bins.count > 0
    x, y = bins.mean_confidence[filled], bins.observed_frequency[filled]
    errors = np.maximum(0, [y - bins.ci_low[filled], bins.ci_high[filled] - y])
    axes.errorbar(
        x, y, yerr=errors, color=color, marker=marker, label=name, linewidth=1.2, elinewidth=0.8
    )


def _title(name: str, metrics: Mapping[str, Any]) -> str:
    return f"{name}, {metrics['split']} ({metrics['tiles']:,} tiles)"
