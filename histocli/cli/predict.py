"""`histo predict`."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from histocli.cli.console import Terminal, make_table
from histocli.cli.defaults import run_or_newest, use_settings
from histocli.cli.options import with_settings
from histocli.cli.scaling import chosen_shard, reachable, run_shards
from histocli.plurals import counted
from histocli.settings import PredictSettings


@with_settings("predict")
def predict(
    run: Annotated[Path, typer.Argument(help="Run folder, or its name in runs/.")],
    source: Annotated[Path, typer.Argument(help="Raw tiles: folder, table or image.")],
    *,
    settings: PredictSettings,
    terminal: Terminal,
) -> None:
    """Predict the tiles of SOURCE, labelled or not, with the model of RUN.

    Run again to continue where it stopped. An ensemble of runs is a run, too:
    see histo ensemble.

    Example:  histo predict runs/efficientnet-1 new-tiles --output predictions.csv
    """
    from histocli.data.shards import describe_missing
    from histocli.training.predict_shards import combine_facts
    from histocli.training.submission import check_submission, write_submission
    from histocli.training.use import predict_source

    if settings.submission is not None:
        check_submission(settings.submission, overwrite=settings.overwrite)
    folder = run_or_newest(run, Path("runs"), terminal)
    shard = chosen_shard(settings, terminal)
    task = partial(
        predict_source,
        reachable(folder, settings),
        reachable(source, settings),
        reachable(settings.output, settings),
        use_settings(settings),
    )
    parts = run_shards(task, shard, settings, terminal, overwrite=settings.overwrite)
    facts = {**combine_facts(parts), "shard": str(shard)}
    missing = facts["missing_shards"]
    if settings.submission is not None and not missing:
        write_submission(settings.submission, settings.output, folder)
        facts["submission"] = settings.submission
    table = make_table("Predictions", ["predicted", "tiles"], list(facts["predicted"].items()))
    said = f"predicted shard {shard} of" if missing else "wrote"
    terminal.result(facts, table, f"{said} {settings.output}")
    if missing:
        terminal.say(describe_missing(missing))
    if facts["skipped"]:
        where = "skipped.csv will name them" if missing else f"see {facts['skipped_list']}"
        terminal.say(f"{counted(facts['skipped'], 'tile')} could not be read: {where}")
