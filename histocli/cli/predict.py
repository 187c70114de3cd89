"""`histo predict`."""

from pathlib import Path
from typing import Annotated

import typer

from histocli.cli.console import Stages, Terminal, make_table
from histocli.cli.defaults import run_or_newest, use_settings
from histocli.cli.options import with_settings
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

    Run again to continue where it stopped.

    Example:  histo predict runs/efficientnet-1 new-tiles --output predictions.csv
    """
    from histocli.training.use import predict_source

    with Stages(terminal) as stages:
        facts = predict_source(
            run_or_newest(run, Path("runs"), terminal),
            source,
            settings.output,
            use_settings(settings),
            stages.begin,
            overwrite=settings.overwrite,
        )
    table = make_table("Predictions", ["predicted", "tiles"], list(facts["predicted"].items()))
    terminal.result(facts, table, f"wrote {settings.output}")
    if facts["skipped"]:
        terminal.say(f"{facts['skipped']} tiles could not be read: see {facts['skipped_list']}")
