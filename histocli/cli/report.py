"""`histo report`."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table as RichTable

from histocli.cli.console import Terminal, make_table
from histocli.cli.defaults import comparison_folder, report_path, run_or_newest
from histocli.cli.options import with_settings
from histocli.errors import SettingsError
from histocli.settings import ReportSettings

if TYPE_CHECKING:
    from histocli.data.tiles import TileSource
    from histocli.report.run_summary import RunSummary
    from histocli.report.run_tiles import RunTiles
    from histocli.report.tables import Table

# Shown before and after stain normalization.
STAIN_TILES = 6


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

    if settings.output is not None and settings.format != "html":
        raise SettingsError(
            f"--output names the HTML page; --format {settings.format} is printed: redirect it to a file"
        )
    folders = (
        [run_or_newest(each, settings.runs, terminal) for each in run]
        if run
        else all_runs(settings.runs)
    )
    # Named twice is one run: nothing is compared with itself.
    folders = list({folder.resolve(): folder for folder in folders}.values())
    summaries = [collect_run(folder) for folder in folders]
    comparison = collect_comparison(comparison_folder(folders, settings.runs), summaries)
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
    from histocli.atomic_files import remove_abandoned
    from histocli.report.model_card import write_model_card
    from histocli.report.page import write_page

    card = summaries[0].path / "MODEL_CARD.md"
    for path in (output, card):
        remove_abandoned(path.parent, path.name)
    tiles = {each.path: _tiles(each) for each in summaries}
    written = [write_page(summaries, output, comparison, tiles)]
    if len(summaries) == 1 and summaries[0].model:
        written.append(write_model_card(summaries[0], card))
    return written


def _tiles(summary: "RunSummary") -> "RunTiles":
    """The tiles of the page, from the data that the run names; none if that is gone."""
    from histocli.data.opening import SourceOptions
    from histocli.errors import ExhaustedError, HistoError
    from histocli.report.run_tiles import RunTiles

    facts = summary.record.inputs.get("data") or {}
    if "path" not in facts or not Path(str(facts["path"])).exists():
        return RunTiles()
    try:
        source = SourceOptions.recorded(facts).open(Path(facts["path"]))
        return RunTiles(_wrong_tiles(summary, source), _stain_pairs(summary, source))
    except HistoError as error:
        ExhaustedError.check(error)
        # The data may have changed since: the page says that it has no pictures.
        return RunTiles()


def _wrong_tiles(summary: "RunSummary", source: "TileSource") -> dict[str, bytes]:
    from histocli.report.error_gallery import worst_errors

    names = {error.tile for error in worst_errors(summary)}
    wanted = [index for index, tile in enumerate(source.tiles) if tile.id in names]
    return {source.tiles[index].id: _png(pixels) for index, pixels in _readable(source, wanted)}


def _stain_pairs(summary: "RunSummary", source: "TileSource") -> list[tuple[bytes, bytes]]:
    """Some tiles of all looks, evenly from the whole data set, before and after normalization."""
    stain = summary.model.stain if summary.model else {}
    if stain.get("method", "none") == "none":
        return []
    import torch

    from histocli.models.classifier import StainChoice

    normalize = StainChoice(**stain).module()
    pairs = []
    evenly = [number * len(source.tiles) // STAIN_TILES for number in range(STAIN_TILES)]
    for _, tile in _readable(source, evenly):
        unit = torch.from_numpy(tile.copy()).permute(2, 0, 1)[None].float() / 255
        with torch.no_grad():
            after = (normalize(unit)[0].permute(1, 2, 0) * 255).round().byte().numpy()
        pairs.append((_png(tile), _png(after)))
    return pairs


def _readable(source: "TileSource", indices: Sequence[int]) -> Iterator[tuple[int, Any]]:
    """The tiles that can be read."""
    from histocli.errors import UnreadableTileError

    for index in indices:
        with suppress(UnreadableTileError):
            yield index, source.read(index)


def _png(pixels: Any) -> bytes:
    from io import BytesIO

    from PIL import Image

    image = BytesIO()
    Image.fromarray(pixels).save(image, "PNG")
    return image.getvalue()
