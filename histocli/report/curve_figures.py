"""ROC and precision-recall curves: of the positive class, or of each class against the rest."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes

from histocli.metrics.curves import Curve, precision_recall_curves, roc_curves
from histocli.predictions import Predictions
from histocli.report.style import (
    INK,
    LEGEND_LINE,
    MUTED,
    SIDE,
    class_line,
    legend_below,
    split_title,
    unit_square,
    written_figure,
)
from histocli.report.wording import estimate, metric_label, number, shortened

# Inches, without which the square would push the title over the edge.
TITLE_LINE = 0.4
REFERENCE_LINE: dict[str, Any] = {"color": MUTED, "linewidth": 0.9, "linestyle": (0, (1, 2))}


def roc_figure(predictions: Predictions, metrics: Mapping[str, Any], output: Path) -> Path:
    """Draw sensitivity against the false positive rate, with the operating point of two classes.

    Args:
        predictions: Of one split; tiles without a label are left out.
        metrics: The content of ``metrics.json`` of the same split.
        output: The PNG file.

    Returns:
        ``output``.
    """
    shown = shown_classes(metrics)
    curves = roc_curves(predictions.label_indices, predictions.probabilities, predictions.classes)
    with written_figure(output, SIDE, _height(shown)) as figure:
        axes = figure.subplots()
        title = split_title("ROC", metrics)
        unit_square(axes, "1 \N{MINUS SIGN} specificity", "Sensitivity", title)
        _draw_curves(axes, curves, shown, metrics, "auroc")
        values = _values(metrics, "sensitivity", "specificity")
        if len(shown) == 1 and values:
            sensitivity, specificity = values
            _draw_operating_point(axes, 1 - specificity, sensitivity, metrics)
        axes.plot([0, 1], [0, 1], label="chance", **REFERENCE_LINE)
        legend_below(figure, axes, _legend_title(metrics, shown, "auroc"))
    return output


def precision_recall_figure(
    predictions: Predictions, metrics: Mapping[str, Any], output: Path
) -> Path:
    """Draw PPV against sensitivity; the chance level of two classes is their prevalence.

    Args:
        predictions: Of one split; tiles without a label are left out.
        metrics: The content of ``metrics.json`` of the same split.
        output: The PNG file.

    Returns:
        ``output``.
    """
    shown = shown_classes(metrics)
    curves = precision_recall_curves(
        predictions.label_indices, predictions.probabilities, predictions.classes
    )
    with written_figure(output, SIDE, _height(shown)) as figure:
        axes = figure.subplots()
        title = split_title("Precision-recall", metrics)
        unit_square(axes, "Sensitivity (recall)", "PPV (precision)", title)
        _draw_curves(axes, curves, shown, metrics, "average_precision")
        values = _values(metrics, "sensitivity", "positive_predictive_value")
        if len(shown) == 1 and values:
            _draw_operating_point(axes, values[0], values[1], metrics)
        prevalence = (metrics.get("prevalence") or {}).get(shown[0])
        if len(shown) == 1 and prevalence is not None:
            label = f"chance (prevalence {number(prevalence)})"
            axes.plot([0, 1], [prevalence, prevalence], label=label, **REFERENCE_LINE)
        legend_below(figure, axes, _legend_title(metrics, shown, "average_precision"))
    return output


def shown_classes(metrics: Mapping[str, Any]) -> list[str]:
    """Of two classes the curve of the positive one says it all."""
    classes, positive = list(metrics["classes"]), metrics.get("positive_class")
    return [str(positive)] if len(classes) == 2 and positive in classes else classes


def _height(shown: Sequence[str]) -> float:
    return SIDE + TITLE_LINE + LEGEND_LINE * (len(shown) + (2 if len(shown) == 1 else 3))


def _draw_curves(
    axes: Axes,
    curves: Mapping[str, Curve],
    shown: Sequence[str],
    metrics: Mapping[str, Any],
    name: str,
) -> None:
    for position, label in enumerate(shown):
        entry = (metrics.get("per_class") or {}).get(label, {}).get(name)
        head = metric_label(name) if len(shown) == 1 else shortened(label)
        stairs = "default" if name == "auroc" else "steps-post"
        axes.plot(
            curves[label].x,
            curves[label].y,
            drawstyle=stairs,
            label=f"{head} {estimate(entry)}",
            **class_line(position),
        )


def _draw_operating_point(axes: Axes, x: float, y: float, metrics: Mapping[str, Any]) -> None:
    threshold = metrics.get("threshold")
    at = "" if threshold is None else f", threshold {number(threshold)}"
    axes.plot(x, y, "o", color=INK, zorder=3, label=f"operating point{at}")


def _legend_title(metrics: Mapping[str, Any], shown: Sequence[str], name: str) -> str:
    if len(shown) == 1:
        return f"{shortened(shown[0])} against the rest"
    macro = estimate(metrics["metrics"].get(name))
    return f"Each class against the rest, {metric_label(name)}\nMacro average {macro}"


def _values(metrics: Mapping[str, Any], *names: str) -> list[float] | None:
    found = [(metrics["metrics"].get(name) or {}).get("value") for name in names]
    return None if None in found else [float(value) for value in found if value is not None]
