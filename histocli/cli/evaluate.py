"""`histo evaluate`."""

from pathlib import Path
from typing import Annotated

import typer

from histocli.cli.console import Stages, Terminal, make_table
from histocli.cli.defaults import run_or_newest, use_settings
from histocli.cli.options import with_settings
from histocli.settings import EvaluateSettings


@with_settings("evaluate")
def evaluate(
    run: Annotated[
        Path | None, typer.Argument(help="Run folder or name.", show_default="the newest")
    ] = None,
    *,
    settings: EvaluateSettings,
    terminal: Terminal,
) -> None:
    """Evaluate RUN on a split: clinical metrics, each with an interval, and figures.

    Writes predictions.csv, metrics.json and the figures to RUN/evaluation/SPLIT. The decision
    threshold is the one that training chose on the validation split.

    Example:  histo evaluate --split test
    """
    from histocli.atomic_files import write_json
    from histocli.data.loading import write_skipped
    from histocli.metrics.evaluate import evaluate as compute
    from histocli.report.figures import evaluation_figures
    from histocli.report.tables import metrics_table
    from histocli.training.use import predict_split

    folder = run_or_newest(run, settings.runs, terminal)
    with Stages(terminal) as stages:
        predictions, card, skipped = predict_split(
            folder, settings.data, settings.split, use_settings(settings), stages.begin
        )
    metrics = compute(
        predictions,
        split=settings.split,
        positive_class=card.positive_class,
        threshold=card.operating_point.get("threshold"),
        confidence=settings.confidence,
        bootstrap_samples=settings.bootstrap_samples,
        seed=settings.seed,
    )
    output = folder / "evaluation" / settings.split
    predictions.write(output / "predictions.csv")
    write_json(output / "metrics.json", metrics)
    write_skipped(output, skipped)
    figures = evaluation_figures(predictions, metrics, output)
    table = metrics_table({settings.split: metrics})
    terminal.result(
        {**metrics, "output": output, "figures": figures, "skipped": len(skipped)},
        make_table(folder.name, table.header, table.rows),
        *table.notes,
        f"wrote {output}; next: histo explain, histo report",
    )
