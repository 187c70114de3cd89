"""`histo export`."""

from pathlib import Path
from typing import Annotated

import typer

from histocli.cli.console import Stages, Terminal, make_table
from histocli.cli.defaults import run_or_newest
from histocli.cli.options import with_settings
from histocli.cli.sources import source_options
from histocli.settings import ExportSettings


@with_settings("export")
def export(
    run: Annotated[
        Path | None, typer.Argument(help="Run folder or name.", show_default="the newest")
    ] = None,
    *,
    settings: ExportSettings,
    terminal: Terminal,
) -> None:
    """Write the model of RUN as ONNX and torch.export files that need no histo.

    uint8 RGB tiles (N, 3, H, W) go in; probabilities of the classes come out,
    as the model gives them and calibrated. Stain normalization, resizing and
    calibration are inside; test-time augmentation is left out. The files are
    compared with the run on real tiles and written only if they agree.

    Example:  histo export runs/efficientnet-1 --to onnx
    """
    from histocli.training.export_run import export_run

    folder = run_or_newest(run, settings.runs, terminal)
    with Stages(terminal) as stages:
        facts = export_run(
            folder,
            settings.output or folder / "export",
            stages.begin,
            formats=("onnx", "pt2") if settings.to == "both" else (settings.to,),
            data=settings.data,
            split=settings.split,
            tiles=settings.tiles,
            opening=source_options(settings),
            workers=settings.workers,
            overwrite=settings.overwrite,
        )
    rows = [
        [
            name,
            f"{facts['files'][name]['bytes'] / 1e6:.1f} MB",
            found["tiles"],
            f"{found['share']:.2%}",
            f"{found['largest']:.1e}",
            found["decisions_changed"],
        ]
        for name, found in facts["check"].items()
    ]
    header = ["file", "size", "tiles", "within 0.001", "largest difference", "decided otherwise"]
    title = f"Compared with the run, on tiles of its split {facts['checked_on']}"
    if facts["test_time_augmentation"] == "left out":
        terminal.say(
            "the run averages eight views of a tile; the exported model sees one, so its threshold, "
            "chosen with eight, is approximate"
        )
    terminal.result(facts, make_table(title, header, rows), f"wrote {facts['output']}")
