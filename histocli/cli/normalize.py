"""`histo normalize`."""

from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from histocli.cli.console import Terminal, make_table
from histocli.cli.defaults import DATA, beside, data_or_default
from histocli.cli.options import with_settings
from histocli.cli.scaling import chosen_shard, reachable, run_shards, threads_each
from histocli.cli.sources import source_options
from histocli.plurals import counted
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
    from histocli.data.normalized import SUFFIX
    from histocli.data.shards import describe_missing
    from histocli.preparation.job import NormalizeJob, open_job, run_job
    from histocli.preparation.output import combine_parts
    from histocli.preparation.setup import describe_backend

    path = data_or_default(source, DATA / "train", terminal)
    output = settings.output or beside(
        path, SUFFIX if settings.image == "normalized" else f"-{settings.image}"
    )
    shard = chosen_shard(settings, terminal)
    stated = settings.model_dump(include={field.name for field in fields(NormalizeJob)})
    stated |= {
        "source": reachable(path, settings),
        "output": reachable(output, settings),
        "opening": source_options(settings),
        "workers": threads_each(settings),
    }
    if settings.reference is not None:
        stated["reference"] = reachable(settings.reference, settings)
    opened = open_job(NormalizeJob(**stated))
    total = len(opened.source.tiles)
    count = len(shard.part(total))
    target = f"the typical stain of {path}" if settings.fit else opened.normalizer.reference.name
    part = counted(count, "tile") if shard.is_whole else f"shard {shard}, {count} of {total} tiles"
    terminal.say(
        f"normalizing {part} ({opened.source.layout}) to {output}, method {settings.method}, "
        f"estimate {settings.context} else identity, reference {target}, "
        f"backend {describe_backend(opened.normalizer, opened.device)}, device {opened.device}"
    )
    if settings.dry_run:
        terminal.result(
            {"dry_run": True, "tiles": count, "output": output},
            f"would write {counted(count, 'tile')} to {output}",
        )
        return
    task = partial(run_job, opened)
    parts = run_shards(task, shard, settings, terminal, overwrite=settings.overwrite)
    result = combine_parts(parts)
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
        "shard": str(shard),
        "missing_shards": [str(one) for one in result.missing],
    }
    terminal.result(
        facts,
        make_table("Stain normalization", ["status", "tiles"], rows),
        make_table("Normalized by", ["estimate of", "tiles"], list(result.by_estimate.items())),
        f"wrote {f'shard {shard} of ' if result.missing else ''}{output}",
    )
    if result.missing:
        terminal.say(describe_missing(result.missing))
    if result.already_done:
        terminal.say(f"{counted(result.already_done, 'tile')} had been done by an earlier run")
    if result.skipped:
        where = "skipped.csv will name them" if result.missing else f"see {output / 'skipped.csv'}"
        terminal.say(f"{counted(len(result.skipped), 'tile')} could not be read: {where}")
