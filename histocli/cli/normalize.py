"""`histo normalize`."""

from pathlib import Path
from typing import Annotated

import typer

from histocli.cli.console import Terminal, make_table
from histocli.cli.defaults import DATA, beside, data_or_default
from histocli.cli.options import with_settings
from histocli.settings import NormalizeSettings


@with_settings("normalize")
def normalize(
    source: Annotated[
        Path | None,
        typer.Argument(help="Folder, table or image.", show_default=str(DATA / "train")),
    ] = None,
    *,
    settings: NormalizeSettings,
    terminal: Terminal,
) -> None:
    """Stain-normalize every tile of SOURCE by Macenko's method.

    The layout is kept; manifest.csv says what became of each tile. A tile without usable stain is
    copied as it is, with a status that says why. Run again to continue where it stopped.

    Example:  histo normalize data/train
    """
    from histocli.data.layouts import open_source
    from histocli.data.normalized import SUFFIX
    from histocli.data.tiles import content_hash
    from histocli.preparation.normalize import normalize_tiles
    from histocli.preparation.setup import make_normalizer, make_record, placement

    path = data_or_default(source, DATA / "train", terminal)
    output = settings.output or beside(path, SUFFIX)
    tiles = open_source(path)
    normalizer = make_normalizer(settings.convention, settings.backend, settings.reference)
    device, place = placement(settings.device, settings.backend)
    terminal.say(
        f"normalizing {len(tiles.tiles)} tiles ({tiles.layout}) to {output}, "
        f"reference {normalizer.reference.name}, on {device}"
    )
    if settings.dry_run:
        terminal.result(
            {"dry_run": True, "tiles": len(tiles.tiles), "output": output},
            f"would write {len(tiles.tiles)} tiles to {output}",
        )
        return
    digest = content_hash(tiles, range(len(tiles.tiles)))
    record = make_record(path, digest, len(tiles.tiles), normalizer, settings.seed, device)
    with terminal.progress("normalizing", len(tiles.tiles)) as progress:
        result = normalize_tiles(
            tiles,
            output,
            normalizer,
            record,
            batch_size=settings.batch_size,
            workers=settings.workers,
            place=place,
            overwrite=settings.overwrite,
            strict=settings.strict,
            progress=progress,
        )
    rows = [
        *result.by_status.items(),
        *([("unreadable", len(result.skipped))] * bool(result.skipped)),
    ]
    facts = {
        "output": output,
        "tiles": result.tiles,
        "by_status": dict(result.by_status),
        "skipped": [tile.id for tile in result.skipped],
        "already_done": result.already_done,
    }
    terminal.result(
        facts, make_table("Stain normalization", ["status", "tiles"], rows), f"wrote {output}"
    )
    if result.already_done:
        terminal.say(f"{result.already_done} tiles had been done by an earlier run")
    if result.skipped:
        terminal.say(f"{len(result.skipped)} tiles could not be read: see {output / 'skipped.csv'}")
