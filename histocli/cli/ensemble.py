"""`histo ensemble`."""

from pathlib import Path
from typing import Annotated

import typer

from histocli.cli.console import Terminal, make_table
from histocli.cli.defaults import run_or_newest
from histocli.cli.options import with_settings
from histocli.settings import EnsembleSettings


@with_settings("ensemble")
def ensemble(
    run: Annotated[list[Path], typer.Argument(help="Two or more run folders or names.")],
    *,
    settings: EnsembleSettings,
    terminal: Terminal,
) -> None:
    """Make one run of several: its model is the mean of theirs.

    The result is a run like any other: predict, evaluate, explain, export and
    report take it. Threshold and calibration are chosen anew, on the validation
    tiles as those members predicted them that have not seen them.

    Example:  histo ensemble seed-0 seed-1 seed-2 --name three
    """
    from histocli.training.ensemble import make_ensemble
    from histocli.training.run import run_name

    folders = [run_or_newest(each, settings.runs, terminal) for each in run]
    facts = make_ensemble(
        folders,
        settings.runs / run_name(settings.name, "ensemble"),
        operating_point=settings.operating_point,
        calibration=settings.calibration,
        overwrite=settings.overwrite,
    )
    rows = [[each["run"], f"{each['valid_auroc']:.4f}"] for each in facts["ensemble"]]
    rows.append(["ensemble", f"{facts['best_valid_auroc']:.4f}"])
    table = make_table("AUROC on the validation split", ["run", "AUROC"], rows)
    terminal.result(facts, table, f"wrote {facts['run']}")
