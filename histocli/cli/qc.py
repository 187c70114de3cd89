"""`histo qc`."""

from pathlib import Path
from typing import Annotated

import typer

from histocli.cli.console import Terminal, make_table
from histocli.cli.defaults import DATA, beside, data_or_default
from histocli.cli.options import with_settings
from histocli.cli.sources import source_options
from histocli.settings import QcSettings


@with_settings("qc")
def qc(
    source: Annotated[
        Path | None,
        typer.Argument(help="Folder, table or image.", show_default=str(DATA / "train")),
    ] = None,
    *,
    settings: QcSettings,
    terminal: Terminal,
) -> None:
    """Check every tile of SOURCE: background, blur, darkness, duplicates, unreadable files.

    Writes qc.csv (verdict and reasons for each tile), qc.json and a contact sheet of the rejects.
    Nothing is deleted. Run again to continue where it stopped.

    Example:  histo qc data/train
    """
    from dataclasses import asdict

    from histocli.data.opening import facts_of
    from histocli.data.tiles import content_hash
    from histocli.qc.check import check_tiles
    from histocli.qc.verdict import Thresholds
    from histocli.run_record import RunRecord

    path = data_or_default(source, DATA / "train", terminal)
    output = settings.output or beside(path, "-qc")
    tiles = source_options(settings).open(path)
    total = len(tiles.tiles)
    terminal.say(f"checking {total} tiles ({tiles.layout}), results to {output}")
    if settings.dry_run:
        facts = {"dry_run": True, "tiles": total, "output": output}
        terminal.result(facts, f"would check {total} tiles and write {output}")
        return
    thresholds = Thresholds()
    digest = content_hash(tiles, range(total))
    inputs = {"source": {"path": str(path), "sha256": digest, "tiles": total, **facts_of(tiles)}}
    record = RunRecord("qc", asdict(thresholds), inputs, seed=settings.seed)
    with terminal.progress("checking", total) as progress:
        result = check_tiles(
            tiles,
            output,
            thresholds=thresholds,
            batch_size=settings.batch_size,
            workers=settings.workers,
            overwrite=settings.overwrite,
            strict=settings.strict,
            progress=progress,
            record=record,
        )
    rows = [["passed", result.passed], ["failed", result.failed], *result.by_reason.items()]
    terminal.result(
        result.to_json(), make_table("Quality control", ["", "tiles"], rows), f"wrote {output}"
    )
    for warning in result.warnings:
        terminal.say(f"warning: {warning}")
