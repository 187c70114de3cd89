"""`histo report`."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from histocli.cli.console import Terminal, make_table
from histocli.cli.defaults import report_path
from histocli.cli.options import with_settings
from histocli.settings import ReportSettings


@with_settings("report")
def report(
    run: Annotated[
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
    from histocli.report.page import write_page
    from histocli.report.tables import comparison_table, metrics_table

    folders = [_inside(settings.runs, each) for each in run] if run else all_runs(settings.runs)
    summaries = [collect_run(folder) for folder in folders]
    output = write_page(summaries, settings.output or report_path(folders, settings.runs))
    blocks: list[Table | str] = []
    for summary in summaries:
        table = metrics_table({each.split: each.metrics for each in summary.evaluations})
        blocks += [make_table(summary.name, table.header, table.rows), *table.notes]
    if len(summaries) > 1:
        table = comparison_table(summaries, with_intervals=False)
        blocks += [make_table(table.caption, table.header, table.rows), *table.notes]
    facts = {
        "report": output,
        "runs": [
            {"run": s.name, "evaluations": {e.split: e.metrics for e in s.evaluations}}
            for s in summaries
        ],
    }
    terminal.result(facts, *blocks, f"wrote {output}")


def _inside(runs: Path, named: Path) -> Path:
    """A bare name means a run in the folder of runs."""
    return runs / named if not named.exists() and (runs / named).exists() else named
