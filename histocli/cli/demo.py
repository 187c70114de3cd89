"""`histo demo`."""

from pathlib import Path
from typing import Annotated

import typer

from histocli.cli.console import Terminal, make_table
from histocli.cli.options import with_settings
from histocli.settings import DemoSettings


@with_settings("demo")
def demo(
    folder: Annotated[Path, typer.Argument(help="Folder to write.")],
    *,
    settings: DemoSettings,
    terminal: Terminal,
) -> None:
    """Write synthetic H&E tiles to FOLDER, with splits, slides, scanners and a known truth.

    Tumor nuclei in the center 32x32 decide the label; those outside do not.

    Example:  histo demo data
    """
    from histocli.data.phantom import write_phantom

    with terminal.progress("making tiles", settings.tiles) as progress:
        facts = write_phantom(
            folder,
            tiles=settings.tiles,
            task=settings.task,
            seed=settings.seed,
            size_px=settings.tile_size_px,
            overwrite=settings.overwrite,
            progress=progress,
        )
    rows = [
        [split, label, count]
        for split, labels in facts["splits"].items()
        for label, count in labels.items()
    ]
    terminal.result(
        facts,
        make_table("Synthetic tiles", ["split", "class", "tiles"], rows),
        f"slides: {facts['slides']}, scanners: {', '.join(facts['scanners'])}",
        *(f"planted fault: {fault}, {tile}" for fault, tile in facts["faults"].items()),
        f"wrote {folder}; next: histo qc {folder}/train",
    )
