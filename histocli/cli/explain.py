"""`histo explain`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from histocli.cli.console import Stages, Terminal, make_table
from histocli.cli.defaults import run_or_newest
from histocli.cli.options import with_settings
from histocli.cli.sources import source_options
from histocli.plurals import counted
from histocli.settings import ExplainSettings


@with_settings("explain")
def explain(
    run: Annotated[
        Path | None, typer.Argument(help="Run folder or name.", show_default="the newest")
    ] = None,
    *,
    settings: ExplainSettings,
    terminal: Terminal,
) -> None:
    """Show where the model of RUN looks, and whether that can be believed.

    Writes gradcam_analysis.png, attention.csv, attention.json and the maps
    to RUN/explanation. The share of the attention in the center stands beside
    what chance gives and what the map can reach; --audit tests the maps
    against maps that know nothing, random weights, turns and flips. With
    --slides it maps the scores over whole slides, for QuPath too.

    Example:  histo explain --tiles 400 --audit
    """
    from histocli.explain.result import result_table, verdict_lines

    folder = run_or_newest(run, settings.runs, terminal)
    if settings.slides is not None:
        _map_slides(folder, settings.slides, settings, terminal)
        return
    result, skipped = _explain_split(folder, settings, terminal)
    output = folder / "explanation"
    header, rows = result_table(result)
    title = f"{folder.name}: attention in the center, {settings.split} ({result['layer']})"
    terminal.result(
        {**result, "output": output, "skipped": skipped},
        make_table(title, header, rows),
        *([result["note"]] if "note" in result else []),
        *verdict_lines(result),
        f"wrote {output}; next: histo report",
    )


def _explain_split(
    folder: Path, settings: ExplainSettings, terminal: Terminal
) -> tuple[dict[str, Any], int]:
    """Explain the tiles of a split; content of ``attention.json``, and how many could not be read."""
    from histocli.data.loading import SkippedTile, write_skipped
    from histocli.data.writing import full_disk_named
    from histocli.explain.audit_run import AuditPlan
    from histocli.explain.explain import explain_tiles
    from histocli.explain.scores.center import CenterBox
    from histocli.explain.selection import select_tiles
    from histocli.models.checkpoint import load_model
    from histocli.training.devices import find_device
    from histocli.training.run import check_raw, open_split

    source, indices = open_split(folder, settings.data, settings.split, source_options(settings))
    device = find_device(settings.device)
    model, card = load_model(folder, device)
    check_raw(source.root, folder, trained_on_normalized=card.trained_on_normalized)
    labels = {index: source.tiles[index].label or "" for index in indices}
    chosen = select_tiles(labels, settings.tiles, settings.seed)
    output = folder / "explanation"
    terminal.say(
        f"explaining {len(chosen)} of the {len(indices)} tiles of the split {settings.split} "
        f"by {settings.method}, on {device}"
    )
    audit = None
    if settings.shuffled_run is not None and not settings.audit:
        terminal.say("warning: --shuffled-run is part of the audit and not used without --audit")
    if settings.audit:
        shuffled = settings.shuffled_run
        audit = AuditPlan(
            settings.audit_tiles,
            settings.evidence,
            None if shuffled is None else load_model(shuffled, device)[0],
            terminal.say,
        )
    skipped: list[SkippedTile] = []
    with (
        full_disk_named(output),
        terminal.progress("explaining", len(chosen)) as progress,
    ):
        result = explain_tiles(
            model,
            card,
            source,
            chosen,
            output,
            skipped=skipped,
            device=device,
            method=settings.method,
            layer=settings.layer,
            center_px=settings.center_px,
            box=None if settings.box is None else CenterBox.parse(settings.box),
            pictures=settings.pictures,
            batch_size=settings.batch_size,
            workers=settings.workers,
            seed=settings.seed,
            split=settings.split,
            audit=audit,
            progress=progress,
        )
    listed = write_skipped(output, skipped)
    if skipped:
        terminal.say(f"{counted(len(skipped), 'tile')} could not be read: see {listed}")
    return result, len(skipped)


def _map_slides(folder: Path, slides: Path, settings: ExplainSettings, terminal: Terminal) -> None:
    """Predict the tiles of slides and draw their scores where they lie."""
    from histocli.data.opening import tiling_of_the_model
    from histocli.explain.slides import write_slide_maps
    from histocli.models.checkpoint import load_card
    from histocli.predictions import Predictions
    from histocli.run_record import RunRecord
    from histocli.training.use import UseSettings, predict_source

    output = folder / "explanation" / "slides"
    opening = source_options(settings)
    use = UseSettings(
        settings.device,
        settings.batch_size,
        "as-trained",
        settings.workers,
        strict=False,
        opening=opening,
    )
    table = output / "predictions.csv"
    with Stages(terminal) as stages:
        facts = predict_source(folder, slides, table, use, stages.begin, overwrite=True)
    trained = tiling_of_the_model(RunRecord.read(folder).inputs.get("data", {}))
    source = opening.open(slides, trained)
    positive = load_card(folder).positive_class
    written = write_slide_maps(source, Predictions.read(table), positive, output)
    rows = [[one["slide"], str(one["tiles"]), f"{one['mean_score']:.3f}"] for one in written]
    terminal.result(
        {"slides": written, "output": output, "skipped": facts["skipped"]},
        make_table("Slides", ["slide", "tiles", "mean score"], rows),
        f"wrote {output}: a picture of each slide, and GeoJSON for QuPath",
    )
