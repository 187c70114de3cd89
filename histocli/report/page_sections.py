"""Everything that the page shows of one run, gathered before the template sees it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from histocli.plurals import counted
from histocli.report.analysis_tables import analysis_tables, conformal_table, selective_table
from histocli.report.checklists.filled import checklist_tables
from histocli.report.class_tables import (
    averages_table,
    calibration_parts_table,
    confusion_shares_table,
)
from histocli.report.error_gallery import ShownError, gallery
from histocli.report.evaluation_figures import ANALYSIS_FIGURES, SUSPICIOUS
from histocli.report.explanation_section import ExplanationSection, explanation_section
from histocli.report.forest import Forest, forest
from histocli.report.pictures import Picture, evaluation_pictures, picture
from histocli.report.run_summary import RunSummary
from histocli.report.run_tables import (
    data_table,
    provenance_table,
    quality_table,
    settings_table,
    training_table,
)
from histocli.report.run_tiles import RunTiles, stain_picture
from histocli.report.summary import PlainWords, summarize
from histocli.report.tables import (
    Table,
    calibration_table,
    confusion_table,
    metrics_table,
    per_class_table,
)
from histocli.report.threshold_slider import Slider, threshold_slider
from histocli.report.wording import (
    METRIC_MEANINGS,
    in_order,
    interval,
    metric_label,
    number,
    percent,
)

KEY_METRICS = ("auroc", "sensitivity", "specificity", "expected_calibration_error")
KEY_METRICS_OF_SEVERAL = ("auroc", "accuracy", "balanced_accuracy", "expected_calibration_error")


@dataclass(frozen=True)
class KeyFigure:
    """One of the few numbers at the top of the page."""

    name: str
    value: str
    interval: str


@dataclass(frozen=True)
class Results:
    """What the evaluations say, the splits side by side.

    Attributes:
        pictures: By name of the figure, one per split that has it.
        confusions: The matrices, for splits without a figure of it.
        terms: Printed name and meaning of the metrics in the table.
    """

    metrics: Table
    forest: Forest
    per_class: Table | None
    averages: Table | None
    shares: Table | None
    confusions: tuple[Table, ...]
    calibration: Table | None
    calibration_parts: Table | None
    analyses: tuple[Table, ...]
    analysis_pictures: tuple[Picture, ...]
    warnings: tuple[str, ...]
    pictures: Mapping[str, tuple[Picture, ...]]
    key_split: str
    key_figures: tuple[KeyFigure, ...]
    terms: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class RunSection:
    """What the template shows of one run; None where the run has no such part."""

    summary: RunSummary
    words: PlainWords
    facts: str
    data: Table
    quality: Table | None
    stain: Picture | None
    stain_missing: str
    training: Table
    history: Picture | None
    results: Results | None
    operating_point: str | None
    explanation: ExplanationSection | None
    slider: Slider | None
    gallery: Sequence[ShownError]
    checklists: Sequence[Table]
    provenance: Table
    settings: Table


def run_section(
    summary: RunSummary, tiles: RunTiles, *, shown_errors: int, largest_bytes: int
) -> RunSection:
    """Gather what the page shows of one run.

    Args:
        summary: Of the run.
        tiles: The tiles to show, as far as they are at hand.
        shown_errors: Of each kind, in the gallery.
        largest_bytes: Of one figure; larger ones are made to fit.

    Raises:
        InputError: If a figure is damaged.
    """
    record, history = summary.record, summary.path / "training_history.png"
    return RunSection(
        summary=summary,
        words=summarize(summary),
        facts=f"{summary.architecture}, {(record.finished or record.started)[:10]}, "
        f"histocli {record.version}",
        data=data_table(summary),
        quality=quality_table(summary),
        stain=stain_picture(tiles.stain),
        stain_missing=_stain_missing(summary),
        training=training_table(summary),
        history=picture(history, _history_text(summary), largest_bytes)
        if history.is_file()
        else None,
        results=_results(summary, largest_bytes),
        operating_point=_operating_point(summary),
        explanation=explanation_section(summary.explanation, largest_bytes),
        slider=threshold_slider(summary),
        gallery=gallery(summary, tiles.errors, shown_errors),
        checklists=checklist_tables(summary),
        provenance=provenance_table(summary),
        settings=settings_table(summary),
    )


def _results(summary: RunSummary, largest_bytes: int) -> Results | None:
    headline = summary.headline
    if headline is None:
        return None
    splits = {each.split: each.metrics for each in summary.evaluations}
    drawn = {each.split: evaluation_pictures(each, largest_bytes) for each in summary.evaluations}
    figures: dict[str, tuple[Picture, ...]] = {}
    for pictures in drawn.values():
        for name, each in pictures.items():
            figures[name] = (*figures.get(name, ()), each)
    names = in_order({name: None for each in splits.values() for name in each["metrics"]})
    several = len(headline.metrics["classes"]) > 2
    return Results(
        metrics=metrics_table(splits),
        forest=forest(names, splits),
        per_class=per_class_table(headline.metrics) if several else None,
        averages=averages_table(headline.metrics)
        if several and "averages" in headline.metrics
        else None,
        shares=confusion_shares_table(headline.metrics)
        if "confusion_shares" in headline.metrics
        else None,
        confusions=tuple(
            confusion_table(splits[split])
            for split, pictures in drawn.items()
            if "confusion_matrix" not in pictures
        ),
        calibration=calibration_table(splits),
        calibration_parts=calibration_parts_table(headline.metrics)
        if "calibration" in headline.metrics
        else None,
        analyses=tuple(_analyses(headline.metrics)),
        analysis_pictures=tuple(
            drawn[headline.split][name]
            for name in (*ANALYSIS_FIGURES, SUSPICIOUS)
            if name in drawn[headline.split]
        ),
        warnings=tuple((headline.metrics.get("sanity") or {}).get("warnings") or ()),
        pictures=figures,
        key_split=headline.split,
        key_figures=_key_figures(headline.metrics, several=several),
        terms=tuple(
            (metric_label(name), METRIC_MEANINGS[name]) for name in names if name in METRIC_MEANINGS
        ),
    )


def _analyses(metrics: Mapping[str, Any]) -> list[Table]:
    """Tables of the further analyses; an evaluation of an earlier version has none."""
    if "sanity" not in metrics:
        return []
    found = analysis_tables(metrics)
    if metrics.get("selective"):
        found.append(selective_table(metrics))
    return [*found, conformal_table(metrics)] if metrics.get("conformal") else found


def _key_figures(metrics: Mapping[str, Any], *, several: bool) -> tuple[KeyFigure, ...]:
    found = []
    for name in KEY_METRICS_OF_SEVERAL if several else KEY_METRICS:
        entry = metrics["metrics"].get(name) or {}
        bounds = interval(entry)
        level = percent(metrics.get("confidence", 0.95), 0)
        found.append(
            KeyFigure(
                metric_label(name),
                number(entry.get("value")),
                f"{level} interval {bounds}" if bounds else "",
            )
        )
    return tuple(found)


def _stain_missing(summary: RunSummary) -> str:
    if summary.model is None:
        return summary.missing["model"]
    if summary.model.stain.get("method", "none") == "none":
        return "tiles before and after stain normalization; this model sees them as scanned"
    return "tiles before and after stain normalization; they are not where the run found them"


def _operating_point(summary: RunSummary) -> str | None:
    if summary.model is None:
        return None
    point = summary.model.operating_point
    if point.get("threshold") is None:
        return (
            "The most probable class is chosen: with more than two classes there is no threshold."
        )
    how = f", chosen by {point['chosen_by']}" if point.get("chosen_by") else ""
    return (
        f"A tile is called {summary.model.positive_class} where its probability is at least "
        f"{number(point['threshold'])}{how}."
    )


def _history_text(summary: RunSummary) -> str:
    best, epochs = summary.best_epoch, len(summary.history)
    kept = (
        f"; the best AUROC is {number(best.valid_auroc, 4)} in epoch {best.epoch}" if best else ""
    )
    return f"Loss and validation AUROC over {counted(epochs, 'epoch')}{kept}"
