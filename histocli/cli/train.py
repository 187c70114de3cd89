"""`histo train`."""

import os
import shlex
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any

import typer

from histocli.cli.console import Stages, Terminal, make_table
from histocli.cli.defaults import DATA, data_or_default
from histocli.cli.options import with_settings
from histocli.cli.sources import source_options
from histocli.settings import TrainSettings

HISTORY_FIGURE = "training_history.png"
EPOCH_HEADER = "  epoch  size     loss    valid   AUROC  images/s  minutes  min left memory GB"


class TerminalMonitor(Stages):
    """Shows a training run in the terminal."""

    def __init__(self, terminal: Terminal) -> None:
        super().__init__(terminal)
        self.has_header = False

    def say(self, message: str) -> None:
        """A line for the user."""
        self.terminal.say(message)

    def epoch(self, row: dict[str, float], epochs: int, seconds_left: float) -> None:
        """Say how an epoch ended, as a row of a table that grows."""
        self.close()
        if not self.has_header:
            self.terminal.say(EPOCH_HEADER)
            self.has_header = True
        self.terminal.say(
            f"{row['epoch']:>3.0f}/{epochs:<3} {row['input_size_px']:>5.0f} {row['train_loss']:>8.4f} "
            f"{row['valid_loss']:>8.4f} {row['valid_auroc']:>7.4f} {row['images_per_second']:>9.0f} "
            f"{row['seconds'] / 60:>8.1f} {seconds_left / 60:>9.1f} {largest_memory_gb():>9.1f}"
        )


def largest_memory_gb() -> float:
    """The most memory that this process has held: of the GPU where it uses one."""
    import torch

    if torch.cuda.is_available() and torch.cuda.max_memory_allocated():
        return torch.cuda.max_memory_allocated() / 1e9
    try:
        import resource
    except ImportError:  # Windows has none
        return float("nan")
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return largest / (1e9 if sys.platform == "darwin" else 1e6)


@with_settings("train")
def train(
    data: Annotated[
        Path | None, typer.Argument(help="Labelled data set.", show_default=str(DATA))
    ] = None,
    *,
    settings: TrainSettings,
    terminal: Terminal,
) -> None:
    """Train a classifier on DATA; the best model, its history and its settings go to runs/NAME.

    Splits come from the folders train, valid and test or from the table; what is missing is divided by
    group. Stop it any time (Ctrl-C, SIGTERM) and continue with --resume.

    Examples:
      histo train --arch efficientnet
      histo train data --arch resnet50 --weights resnet50.safetensors --stain macenko
      histo train --resume
    """
    from histocli.report.figures import training_history_figure
    from histocli.training.api import TrainRequest, run_training
    from histocli.training.cross_validation import cross_validate
    from histocli.training.frozen import WITHOUT_EFFECT
    from histocli.training.plan import RunOptions, TrainingPlan

    # One of the processes that torchrun started speaks for all.
    first = os.environ.get("RANK", "0") == "0"
    terminal.quiet = terminal.quiet or not first
    if settings.transfer == "frozen" and (unused := _changed(settings, WITHOUT_EFFECT)):
        options = ", ".join(f"--{name.replace('_', '-')}" for name in unused)
        terminal.say(f"warning: --transfer frozen fits one layer; without effect: {options}")
    names = [field.name for field in fields(TrainingPlan)]
    request = TrainRequest(
        data=data,
        plan=TrainingPlan(**{name: getattr(settings, name) for name in names}),
        explicit=frozenset(settings.model_fields_set),
        options=RunOptions(
            settings.runs,
            settings.seed,
            settings.workers,
            settings.offline,
            settings.strict,
            settings.cache,
            settings.cache_folder,
            source_options(settings),
            settings.qc,
            settings.checkpoint_minutes,
            settings.tensorboard,
        ),
        name=settings.name,
        device=settings.device,
        resume=settings.resume,
        overwrite=settings.overwrite,
        dry_run=settings.dry_run,
        find_data=lambda named: data_or_default(named, DATA, terminal),
        complete=lambda run: training_history_figure(run / "history.csv", run / HISTORY_FIGURE),
    )
    if settings.folds > 1 or settings.repeats > 1:
        with TerminalMonitor(terminal) as monitor:
            facts = cross_validate(request, monitor, settings.folds, settings.repeats)
        if first:
            _print_cross_validation(facts, terminal)
        return
    with TerminalMonitor(terminal) as monitor:
        outcome = run_training(request, monitor)
    if outcome.progress is None:
        _print_plan(outcome.facts, terminal)
        return
    if not first:
        return
    rows = [[key.replace("_", " "), value] for key, value in outcome.facts.items()]
    terminal.result(
        {**outcome.facts, "figure": outcome.run / HISTORY_FIGURE},
        make_table("Training", ["", ""], rows),
        f"wrote {outcome.run}; next: histo evaluate {shlex.quote(str(outcome.run))}",
    )


def _changed(settings: TrainSettings, names: Sequence[str]) -> list[str]:
    """Those that are not at their defaults."""
    fields = TrainSettings.model_fields
    return [name for name in names if getattr(settings, name) != fields[name].default]


def _print_cross_validation(facts: dict[str, Any], terminal: Terminal) -> None:
    if "members" not in facts:
        _print_plan(facts, terminal)
        return
    rows = [[member["run"], f"{member['valid_auroc']:.4f}"] for member in facts["members"]]
    spread = "" if facts["valid_auroc_sd"] is None else f" ± {facts['valid_auroc_sd']:.4f}"
    rows.append(["mean ± standard deviation", f"{facts['valid_auroc_mean']:.4f}{spread}"])
    rows.append(["all tiles, each out of its fold", f"{facts['out_of_fold_auroc']:.4f}"])
    terminal.result(
        facts,
        make_table("Cross-validation", ["", "validation AUROC"], rows),
        f"wrote {facts['run']}; its model is the mean of all; next: histo evaluate {facts['run']}",
    )


def _print_plan(facts: dict[str, Any], terminal: Terminal) -> None:
    rows = [[key.replace("_", " "), value] for key, value in facts.items()]
    terminal.result({"dry_run": True, **facts}, make_table("Would train", ["", ""], rows))
