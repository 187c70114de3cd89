"""`histo report`."""

from pathlib import Path
from typing import Annotated

import typer

from histocli.cli.console import Terminal, make_table
from histocli.cli.options import with_settings
from histocli.settings import ReportSettings


@with_settings("report")
def report(
    runs: Annotated[
        list[Path] | None, typer.Argument(help="Run folders or names.", show_default="all")
    ] = None,
    *,
    settings: ReportSettings,
    terminal: Terminal,
) -> None:
    """Print the metrics of one or more runs, and write one self-contained HTML page.

    Example:  histo report
    """
    from histocli.report.collect import all_runs, collect_run
    from histocli.report.page import default_output, write_page
    from histocli.report.tables import comparison_table, metrics_table

    folders = [_inside(settings.runs, run) for run in runs] if runs else all_runs(settings.runs)
    summaries = [collect_run(folder) for folder in folders]
    output = write_page(summaries, settings.output or default_output(summaries, settings.runs))
    tables = []
    for summary in summaries:
        for evaluation in summary.evaluations:
            title = f"{summary.name} on {evaluation.split}"
            tables.append(make_table(title, *metrics_table(evaluation.metrics)))
    if len(summaries) > 1:
        tables.append(make_table("Runs side by side", *comparison_table(summaries)))
    facts = {
        "report": output,
        "runs": [
            {"run": s.name, "evaluations": {e.split: e.metrics for e in s.evaluations}}
            for s in summaries
        ],
    }
    terminal.result(facts, *tables, f"wrote {output}")


def _inside(runs: Path, named: Path) -> Path:
    """A bare name means a run in the folder of runs."""
    return runs / named if not named.exists() and (runs / named).exists() else named
