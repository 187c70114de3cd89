"""`histo qc`."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from histocli.cli.console import Terminal, make_table
from histocli.cli.defaults import DATA, beside, data_or_default
from histocli.cli.options import with_settings
from histocli.cli.scaling import chosen_shard, reachable, run_shards, threads_each
from histocli.cli.sources import source_options
from histocli.plurals import counted
from histocli.settings import QcSettings

if TYPE_CHECKING:
    from histocli.qc.check import Judging
    from histocli.qc.result import QCResult


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
    """Find tiles of SOURCE that are not fit to train on, and leaks.

    Background, blur, pens, folds, slide edges, stain, compression, unreadable
    files, duplicates (turned and mirrored ones too), and the same tile in two
    splits or with two labels. Writes qc.csv (verdict and reasons of each
    tile), qc.json and contact sheets of the rejects. Nothing is deleted. Run
    again to continue where it stopped.

    Examples:
      histo qc data
      histo qc data/train --fit --apply
    """
    from histocli.data.shards import describe_missing
    from histocli.qc.apply import SUFFIX, check_manifest, write_passed
    from histocli.qc.job import QCJob, open_job, run_job

    path = data_or_default(source, DATA / "train", terminal)
    output = settings.output or beside(path, "-qc")
    shard = chosen_shard(settings, terminal)
    judging, recorded = _judging(settings)
    job = QCJob(
        source=reachable(path, settings),
        output=reachable(output, settings),
        judging=judging,
        recorded=recorded,
        batch_size=settings.batch_size,
        workers=threads_each(settings),
        seed=settings.seed,
        strict=settings.strict,
        opening=source_options(settings),
    )
    opened = open_job(job)
    tiles = opened.source
    if settings.apply:
        check_manifest(tiles)
    total = len(tiles.tiles)
    count = len(shard.part(total))
    part = counted(count, "tile") if shard.is_whole else f"shard {shard}, {count} of {total} tiles"
    terminal.say(f"checking {part} ({tiles.layout}), results to {output}")
    if settings.dry_run:
        facts = {"dry_run": True, "tiles": count, "output": output}
        terminal.result(facts, f"would check {counted(count, 'tile')} and write {output}")
        return
    task = partial(run_job, opened)
    parts = run_shards(task, shard, settings, terminal, overwrite=settings.overwrite)
    result = min(parts, key=lambda part: len(part.missing))
    if result.missing:
        facts = {"output": output, "missing_shards": [str(one) for one in result.missing]}
        terminal.result({**facts, "shard": str(shard)}, f"wrote shard {shard} of {output}")
        terminal.say(describe_missing(result.missing))
        return
    manifest = None
    if settings.apply:
        manifest = beside(path, SUFFIX)
        write_passed(tiles, result.table, manifest)
    _report(result, manifest, terminal)


def _judging(settings: QcSettings) -> tuple["Judging", dict[str, Any]]:
    """By what is judged, and what of it the record keeps."""
    from dataclasses import asdict, fields

    from histocli.qc.check import Judging
    from histocli.qc.thresholds import Thresholds

    names = {field.name for field in fields(Thresholds)}
    thresholds = Thresholds(**settings.model_dump(include=names))
    keep = frozenset(names & settings.model_fields_set)
    judging = Judging(thresholds, settings.fit, keep, settings.near_duplicate_distance)
    stated = {
        **asdict(thresholds),
        "fit": settings.fit,
        "near_duplicate_distance": settings.near_duplicate_distance,
    }
    return judging, {**stated, "kept": sorted(keep)} if settings.fit else stated


def _report(result: "QCResult", manifest: Path | None, terminal: Terminal) -> None:
    rows = [["passed", result.passed], ["failed", result.failed], *result.by_reason.items()]
    facts = result.to_json()
    said = f"wrote {result.output}"
    if manifest is not None:
        facts["manifest"] = str(manifest)
        said += f" and {manifest}, a data set of the {counted(result.passed, 'tile')} that passed"
    terminal.result(facts, make_table("Quality control", ["", "tiles"], rows), said)
    for warning in result.warnings:
        terminal.say(f"warning: {warning}")
