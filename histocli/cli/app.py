"""The `histo` application: its commands, in the order of the work."""

import faulthandler
import io
import os
import sys
from typing import Annotated

import typer

from histocli import __version__
from histocli.cli.arch import arch
from histocli.cli.bench import bench
from histocli.cli.config import config
from histocli.cli.data import data
from histocli.cli.demo import demo
from histocli.cli.doctor import doctor
from histocli.cli.ensemble import ensemble
from histocli.cli.evaluate import evaluate
from histocli.cli.explain import explain
from histocli.cli.export import export
from histocli.cli.normalize import normalize
from histocli.cli.predict import predict
from histocli.cli.qc import qc
from histocli.cli.report import report
from histocli.cli.train import train
from histocli.cli.usage_errors import OneLineErrors

DATA_PANEL, MODEL_PANEL, RESULT_PANEL, OTHER_PANEL = (
    "Prepare the data",
    "Train a model",
    "Read the results",
    "More",
)

app = typer.Typer(
    name="histo",
    cls=OneLineErrors,
    no_args_is_help=True,
    # Local variables may hold the names of patients' files.
    pretty_exceptions_show_locals=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command(rich_help_panel=DATA_PANEL)(normalize)
app.command(rich_help_panel=DATA_PANEL)(qc)
app.add_typer(data, name="data", rich_help_panel=DATA_PANEL)
app.command(rich_help_panel=MODEL_PANEL)(train)
app.command(rich_help_panel=MODEL_PANEL)(ensemble)
app.command(rich_help_panel=MODEL_PANEL)(predict)
app.command(rich_help_panel=MODEL_PANEL)(export)
app.command(rich_help_panel=RESULT_PANEL)(evaluate)
app.command(rich_help_panel=RESULT_PANEL)(explain)
app.command(rich_help_panel=RESULT_PANEL)(report)
app.command(rich_help_panel=OTHER_PANEL)(demo)
app.command(rich_help_panel=OTHER_PANEL)(config)
app.command(rich_help_panel=OTHER_PANEL)(doctor)
app.command(rich_help_panel=OTHER_PANEL)(bench)
app.command(rich_help_panel=MODEL_PANEL)(arch)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"histo {__version__}")
        raise typer.Exit


@app.callback()
def histo(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Classify cancer from H&E histopathology tiles.

    [bold]In a folder with data/train, data/valid and data/test:[/bold]

      histo normalize data/train        stain-normalize the tiles
      histo qc data/train               find what is not fit to train on
      histo train --arch efficientnet   train; the best model goes to runs/
      histo evaluate                    clinical numbers with intervals
      histo explain                     what the model looks at
      histo report                      one page to hand on

    No data at hand? [bold]histo demo data[/bold] makes some.

    Research software, not a medical device.
    """
    del version


def main() -> None:
    """Entry point of the console script."""
    # Where the terminal or a pipe knows fewer characters than our tables have.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    # Where a library in C crashes: which it was, in place of nothing but the name of a signal.
    if sys.stderr is not None:
        faulthandler.enable(all_threads=False)
    # Threads that read, decode and write hand the interpreter to one another thousands of times a second;
    # by default each may wait 5 ms for it.
    sys.setswitchinterval(0.0005)
    # Before torch is imported. Its threads spin for milliseconds while they wait for one another; where the
    # machine has other work to do, one that spins keeps the core from the one that it waits for.
    os.environ.setdefault("GOMP_SPINCOUNT", "2000")
    app()
