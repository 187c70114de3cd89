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
    """Stain-normalize every tile of SOURCE.

    The layout is kept; manifest.csv says what became of each tile. A tile is
    normalized by its own stain estimate, or by its group's or the data set's
    where --context names them; one without any is copied as it is, with a
    status that says why. A column stain_reference in the table of tiles names
    a reference (JSON or image) for each tile. Run again to continue where it
    stopped.

    Example:  histo normalize data/train --context tile,group,dataset
    """
    from histocli.data.layouts import open_source
    from histocli.data.normalized import SUFFIX
    from histocli.data.tiles import content_hash
    from histocli.preparation.normalize import normalize_tiles
    from histocli.preparation.references import references_by_tile
    from histocli.preparation.setup import (
        chosen_backend,
        make_normalizer,
        make_record,
        needs_context,
        placement,
    )
    from histocli.preparation.stain_context import find_context

    path = data_or_default(source, DATA / "train", terminal)
    output = settings.output or beside(
        path, SUFFIX if settings.image == "normalized" else f"-{settings.image}"
    )
    tiles = open_source(path)
    count = len(tiles.tiles)
    normalizer = make_normalizer(
        settings.method,
        settings.convention,
        settings.backend,
        settings.reference,
        settings.context,
        fit=settings.fit,
    )
    references = references_by_tile(tiles, normalizer)
    device, place = placement(settings.device, settings.backend)
    target = f"the typical stain of {path}" if settings.fit else normalizer.reference.name
    terminal.say(
        f"normalizing {count} tiles ({tiles.layout}) to {output}, method {settings.method}, "
        f"estimate {settings.context} else identity, reference {target}, "
        f"backend {chosen_backend(normalizer, device)}, device {device}"
    )
    if settings.dry_run:
        terminal.result(
            {"dry_run": True, "tiles": count, "output": output},
            f"would write {count} tiles to {output}",
        )
        return
    digest = content_hash(tiles, range(count))
    context = None
    if needs_context(settings.context, fit=settings.fit):
        with terminal.progress("estimating stains", count) as progress:
            context = find_context(
                tiles,
                normalizer,
                batch_size=settings.batch_size,
                workers=settings.workers,
                place=place,
                progress=progress,
            )
        if settings.fit:
            normalizer = normalizer.with_reference(context.dataset)
    record = make_record(
        path,
        digest,
        count,
        normalizer,
        settings.seed,
        device,
        references,
        settings.image,
        settings.to,
    )
    with terminal.progress("normalizing", count) as progress:
        result = normalize_tiles(
            tiles,
            output,
            normalizer,
            record,
            batch_size=settings.batch_size,
            context=context,
            references=references,
            image=settings.image,
            to=settings.to,
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
        "by_estimate": dict(result.by_estimate),
        "skipped": [tile.id for tile in result.skipped],
        "already_done": result.already_done,
    }
    terminal.result(
        facts,
        make_table("Stain normalization", ["status", "tiles"], rows),
        make_table("Normalized by", ["estimate of", "tiles"], list(result.by_estimate.items())),
        f"wrote {output}",
    )
    if result.already_done:
        terminal.say(f"{result.already_done} tiles had been done by an earlier run")
    if result.skipped:
        terminal.say(f"{len(result.skipped)} tiles could not be read: see {output / 'skipped.csv'}")
