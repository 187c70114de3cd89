"""`histo report`."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table as RichTable

from histocli.cli.console import Terminal, make_table
from histocli.cli.defaults import comparison_folder, report_path
from histocli.cli.options import with_settings
from histocli.settings import ReportSettings

if TYPE_CHECKING:
    from histocli.report.run_summary import RunSummary
    from histocli.report.tables import Table


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

    Beside the page of one run goes MODEL_CARD.md. Of several runs the best is
    bold only where `histo evaluate RUN RUN` has shown the difference.

    Example:  histo report
    """
    from histocli.report.collect import all_runs, collect_comparison, collect_run
    from histocli.report.markup import MARKUPS, estimates_csv

    folders = [_inside(settings.runs, each) for each in run] if run else all_runs(settings.runs)
    summaries = [collect_run(folder) for folder in folders]
    comparison = collect_comparison(comparison_folder(folders, settings.runs))
    tables = _tables(summaries, comparison, with_intervals=settings.format in MARKUPS)
    facts: dict[str, Any] = {
        "runs": [
            {"run": s.name, "evaluations": {e.split: e.metrics for e in s.evaluations}}
            for s in summaries
        ],
    }
    if len(summaries) > 1:
        facts["comparison"] = comparison
    written: list[Path] = []
    if settings.format == "html":
        written = _write(
            summaries, comparison, settings.output or report_path(folders, settings.runs)
        )
        facts = {"report": written[0], "written": written, **facts}
    if settings.format == "json":
        terminal = replace(terminal, as_json=True)
    text = estimates_csv(summaries) if settings.format == "csv" else None
    if settings.format in MARKUPS:
        text = MARKUPS[settings.format](tables)
    if text is not None and not terminal.as_json:
        # As it is: what goes into a file or a paper must not be wrapped.
        terminal.out.print(text, markup=False, soft_wrap=True, end="")
        return
    blocks: list[RichTable | str] = []
    for table in tables:
        blocks += [make_table(table.caption, table.header, _starred(table)), *table.notes]
    terminal.result(facts, *blocks, *(f"wrote {each}" for each in written))


def _tables(
    summaries: "Sequence[RunSummary]", comparison: Mapping[str, Any] | None, *, with_intervals: bool
) -> "list[Table]":
    from histocli.report.tables import comparison_table, metrics_table

    tables = [
        replace(metrics_table({e.split: e.metrics for e in each.evaluations}), caption=each.name)
        for each in summaries
    ]
    if len(summaries) > 1:
        tables.append(
            comparison_table(summaries, with_intervals=with_intervals, comparison=comparison)
        )
    return tables


def _starred(table: "Table") -> list[list[str]]:
    """The best cells with a star, as bold is lost where the output is piped."""
    return [
        [f"{cell} *" if (row, column) in table.best else cell for column, cell in enumerate(cells)]
        for row, cells in enumerate(table.rows)
    ]


def _write(
    summaries: "Sequence[RunSummary]", comparison: Mapping[str, Any] | None, output: Path
) -> list[Path]:
    """The page, and of one run the model card in its folder."""
    from histocli.report.model_card import write_model_card
    from histocli.report.page import write_page

    tiles = {each.path: _wrong_tiles(each) for each in summaries}
    written = [write_page(summaries, output, comparison, tiles)]
    if len(summaries) == 1 and summaries[0].model:
        written.append(write_model_card(summaries[0], summaries[0].path / "MODEL_CARD.md"))
    return written


def _wrong_tiles(summary: "RunSummary") -> dict[str, bytes]:
    """The tiles of the gallery, from the data that the run names; those that are gone are left out."""
    from io import BytesIO

    from PIL import Image

    from histocli.data.opening import SourceOptions
    from histocli.errors import HistoError
    from histocli.report.error_gallery import worst_errors

    names = {error.tile for error in worst_errors(summary)}
    facts = summary.record.inputs.get("data") or {}
    if not names or not Path(str(facts.get("path", ""))).exists() or "path" not in facts:
        return {}
    found = {}
    try:
        source = SourceOptions.recorded(facts).open(Path(facts["path"]))
        for index, tile in enumerate(source.tiles):
            if tile.id in names:
                image = BytesIO()
                Image.fromarray(source.read(index)).save(image, "PNG")
                found[tile.id] = image.getvalue()
    except HistoError:
        # The data may have moved or changed since: the page says that it has no pictures.
        return found
    return found


def _inside(runs: Path, named: Path) -> Path:
    """A bare name means a run in the folder of runs."""
    return runs / named if not named.exists() and (runs / named).exists() else named
