"""`histo explain`."""

from pathlib import Path
from typing import Annotated

import typer

from histocli.cli.console import Terminal, make_table
from histocli.cli.defaults import run_or_newest
from histocli.cli.options import with_settings
from histocli.cli.sources import source_options
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
    """Show where the model of RUN looks: attention maps, and their share in the center of the tiles.

    Writes gradcam_analysis.png, attention.csv, attention.json and the maps to RUN/explanation. The
    share of the attention in the center stands beside what chance gives and what the map can reach.

    Example:  histo explain --tiles 400
    """
    from histocli.data.loading import SkippedTile, write_skipped
    from histocli.explain.explain import explain_tiles
    from histocli.explain.result import result_table
    from histocli.explain.selection import select_tiles
    from histocli.models.checkpoint import load_model
    from histocli.training.devices import find_device
    from histocli.training.run import check_raw, open_split

    folder = run_or_newest(run, settings.runs, terminal)
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
    skipped: list[SkippedTile] = []
    with terminal.progress("explaining", len(chosen)) as progress:
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
            pictures=settings.pictures,
            batch_size=settings.batch_size,
            workers=settings.workers,
            seed=settings.seed,
            split=settings.split,
            progress=progress,
        )
    listed = write_skipped(output, skipped)
    header, rows = result_table(result)
    title = f"{folder.name}: attention in the center, {settings.split} ({result['layer']})"
    terminal.result(
        {**result, "output": output, "skipped": len(skipped)},
        make_table(title, header, rows),
        *([result["note"]] if "note" in result else []),
        f"wrote {output}; next: histo report",
    )
    if skipped:
        terminal.say(f"{len(skipped)} tiles could not be read: see {listed}")
