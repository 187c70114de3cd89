"""One self-contained HTML page: what was trained on what, how good, how sure, what to distrust."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from histocli.atomic_files import write_text
from histocli.report.run_summary import Evaluation, RunSummary
from histocli.report.summary import summarize
from histocli.report.tables import (
    Table,
    attention_table,
    calibration_table,
    comparison_table,
    confusion_table,
    data_table,
    metrics_table,
    per_class_table,
    provenance_table,
    settings_table,
)

DISCLAIMER = "Research software, not a medical device: not for diagnosis or treatment decisions."
FIGURE_TEXTS = {
    "roc": "ROC curve: sensitivity against 1 minus specificity at every threshold",
    "precision_recall": "Precision-recall curve: PPV against sensitivity at every threshold",
    "confusion_matrix": "Confusion matrix: true classes in rows, predicted classes in columns",
    "calibration": "Reliability diagram: observed share against predicted probability",
}


@dataclass(frozen=True)
class Image:
    """A picture inside the page: its data URI, and what it shows for those who cannot see it."""

    uri: str
    text: str


@dataclass(frozen=True)
class RunSection:
    """What the template shows of one run."""

    summary: RunSummary
    sentences: tuple[str, ...]
    distrust: tuple[str, ...]
    data: Table
    history: Image | None
    metrics: Table | None
    per_class: Table | None
    confusions: tuple[Table, ...]
    calibration: Table | None
    figures: tuple[tuple[str, tuple[Image, ...]], ...]
    attention: Table | None
    attention_note: str | None
    gradcam: Image | None
    provenance: Table
    settings: Table


def write_page(summaries: Sequence[RunSummary], output: Path) -> Path:
    """Write the report of one or more runs.

    Args:
        summaries: From ``collect_run``; several are compared first.
        output: The HTML file.
    """
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    source = resources.files("histocli.report").joinpath("template.html").read_text("utf-8")
    names = [summary.name for summary in summaries]
    page = environment.from_string(source).render(
        title=f"histo report: {', '.join(names)}",
        disclaimer=DISCLAIMER,
        comparison=comparison_table(summaries) if len(summaries) > 1 else None,
        runs=[run_section(summary) for summary in summaries],
    )
    write_text(output, page)
    return output


def run_section(summary: RunSummary) -> RunSection:
    """Gather what the page shows of one run."""
    sentences, distrust = summarize(summary)
    splits = {each.split: each.metrics for each in summary.evaluations}
    headline = summary.headline
    explanation = summary.explanation
    attention = explanation.attention if explanation else None
    return RunSection(
        summary=summary,
        sentences=sentences,
        distrust=distrust,
        data=data_table(summary),
        history=_image(summary.path / "training_history.png", _history_text(summary)),
        metrics=metrics_table(splits) if splits else None,
        per_class=per_class_table(headline.metrics) if headline else None,
        confusions=tuple(confusion_table(each.metrics) for each in summary.evaluations),
        calibration=calibration_table(splits) if splits else None,
        figures=tuple((each.split, _figures(each)) for each in reversed(summary.evaluations)),
        attention=attention_table(attention) if attention else None,
        attention_note=_note(attention),
        gradcam=_image(
            explanation.figure if explanation else None,
            "Tiles beside the attention map of the model, with prediction and truth",
        ),
        provenance=provenance_table(summary),
        settings=settings_table(summary),
    )


def _figures(evaluation: Evaluation) -> tuple[Image, ...]:
    order = list(FIGURE_TEXTS)
    found = [path for path in evaluation.figures if path.stem in FIGURE_TEXTS]
    found.sort(key=lambda path: order.index(path.stem))
    images = [
        _image(path, f"{FIGURE_TEXTS[path.stem]}, {evaluation.split} split") for path in found
    ]
    return tuple(image for image in images if image is not None)


def _history_text(summary: RunSummary) -> str:
    best = summary.best_epoch
    end = (
        f"; the best validation AUROC is {best.valid_auroc:.4f} in epoch {best.epoch}"
        if best
        else ""
    )
    return f"Loss and validation AUROC over {len(summary.history)} epochs{end}"


def _note(attention: Mapping[str, Any] | None) -> str | None:
    note = attention.get("note") if attention else None
    return None if note is None else str(note)


def _image(path: Path | None, text: str) -> Image | None:
    if path is None or not path.is_file():
        return None
    content = base64.b64encode(path.read_bytes()).decode("ascii")
    return Image(f"data:image/png;base64,{content}", text)
