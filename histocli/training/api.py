"""One whole training run: open the data, begin or find the run, fit, record."""

import shlex
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from histocli.data.opening import SourceOptions
from histocli.errors import HistoError, InterruptedRunError, SettingsError, StoppedError
from histocli.metrics.operating_rules import parse_rule
from histocli.models.classifier import StainChoice
from histocli.plurals import counted
from histocli.run_record import RunRecord
from histocli.training.dataset import TrainingData, open_training_data
from histocli.training.devices import find_device
from histocli.training.dry_run import dry_run
from histocli.training.fit import fit
from histocli.training.folds import Fold, divided
from histocli.training.monitor import Monitor
from histocli.training.not_a_number import NotANumberError, save_batch
from histocli.training.plan import RunOptions, TrainingPlan
from histocli.training.processes import Processes, joined
from histocli.training.recipes import completed, epochs_for
from histocli.training.run import (
    begin_run,
    check_run,
    discard_run,
    find_stopped,
    held,
    plan_of,
    record_of,
    run_name,
)
from histocli.training.setup import architecture_of
from histocli.training.shuffled_labels import with_shuffled_labels
from histocli.training.state import Progress, load_state


@dataclass(frozen=True)
class TrainRequest:
    """What `histo train` was asked.

    Attributes:
        data: The data set, None if not named.
        plan: What to train.
        explicit: Names of the options that the user gave; a resumed run must agree with them.
        options: ``options.run`` is the folder of all runs here.
        name: Of the run.
        device: As typed.
        resume: Continue a stopped run with the options that it was begun with.
        overwrite: Replace a run of that name.
        dry_run: Only say what would be done.
        find_data: Gives the data set's path from the named one.
        fold: Of a cross-validation, which divides the tiles anew.
        complete: Adds to the folder of the run what training does not know how to make.
    """

    data: Path | None
    plan: TrainingPlan
    explicit: frozenset[str]
    options: RunOptions
    name: str | None
    device: str
    resume: bool
    overwrite: bool
    dry_run: bool
    find_data: Callable[[Path | None], Path]
    fold: Fold | None = None
    complete: Callable[[Path], object] = lambda _: None


@dataclass(frozen=True)
class TrainOutcome:
    """The run's folder, its facts in a few words, and how far it came (None for a dry run)."""

    run: Path
    facts: dict[str, Any]
    progress: Progress | None


def run_training(request: TrainRequest, monitor: Monitor) -> TrainOutcome:
    """Train as asked, as one of the processes that `torchrun` started or alone.

    Raises:
        HistoError: With advice; the run's record says ``stopped`` if it can be continued.
    """
    with joined(request.device) as (processes, device):
        return _run(replace(request, device=device), monitor, processes)


def _run(request: TrainRequest, monitor: Monitor, processes: Processes) -> TrainOutcome:
    plan, options, path, run = _what_to_do(request)
    plan = completed(plan, architecture_of(plan))
    # A name by the time is the first process's to choose.
    run = processes.of_first(run)
    device = find_device(request.device)
    parse_rule(plan.operating_point)  # a misspelt rule shall not wait for the end of training
    stain = StainChoice(plan.stain, plan.stain_convention)
    data = open_training_data(path, options.seed, stain, monitor.say, options.opening, options.qc)
    if request.fold is not None:
        data = divided(data, request.fold, monitor.say)
    _report_data(data, monitor)
    if plan.shuffle_labels:
        data = with_shuffled_labels(data, options.seed)
        monitor.say(
            "labels are shuffled: this model is a control for histo explain, and of no other use"
        )
    epochs = epochs_for(plan, len(data.splits["train"].indices))
    facts = {"run": str(run), "arch": plan.arch, "stain": plan.stain, "epochs": epochs}
    record = record_of(plan, data, options.seed, device.type)
    if request.fold is not None:
        record.inputs["fold"] = asdict(request.fold)
    if request.dry_run:
        check_run(run, record, overwrite=request.overwrite)
        facts |= dry_run(run, data, plan, options, device, processes)
        return TrainOutcome(run, facts, None)
    monitor.say(
        f"run: {run}; {plan.arch}, stain {plan.stain}, {counted(epochs, 'epoch')}, on {device}"
    )
    with held(run, monitor.say) if processes.is_first else nullcontext():
        if processes.is_first:
            record = begin_run(run, record, data, overwrite=request.overwrite)
        processes.gather(None)  # until the folder is there
        started = time.monotonic()
        with _recorded(record, run, monitor, processes):
            result = fit(data, plan, replace(options, run=run), device, monitor, processes)
        best = result.progress.history[result.progress.best_epoch - 1]
        seconds = round(time.monotonic() - started, 1)
        if processes.is_first:
            # A run that is killed here is not done, and is completed when it is resumed.
            request.complete(run)
            record.finish(
                run,
                classes=list(data.classes),
                splits=data.counts(),
                groups=data.groups(),
                divided_by_histo=data.divided,
                best_epoch=result.progress.best_epoch,
                best_valid_auroc=best["valid_auroc"],
                epochs=result.progress.epochs_done,
                seconds=seconds,
                skipped=len(result.skipped),
                processes=processes.count,
            )
    facts |= {
        "epochs": result.progress.epochs_done,
        "best_epoch": result.progress.best_epoch,
        "validation_auroc": f"{best['valid_auroc']:.4f}",
        "parameters": f"{result.card.parameters:,}",
        "weights": result.card.weights,
        "seconds": seconds,
    }
    return TrainOutcome(run, facts, result.progress)


@contextmanager
def _recorded(
    record: RunRecord, run: Path, monitor: Monitor, processes: Processes
) -> Iterator[None]:
    """Write down how a training ended that did not end well, and say how it continues."""
    try:
        yield
    except (StoppedError, InterruptedRunError) as error:
        _stopped(record, run, processes)
        raise type(error)(f"{error}; {_how_to_continue(run)}") from None
    except KeyboardInterrupt:
        _stopped(record, run, processes)
        raise InterruptedRunError(f"interrupted; {_how_to_continue(run)}") from None
    except HistoError as error:
        if isinstance(error, NotANumberError):
            monitor.say(f"wrote {save_batch(error, run)}")
        # Without a step done there is nothing to continue, and the name should stay free.
        if load_state(run) is not None:
            _stopped(record, run, processes)
        elif processes.is_first:
            discard_run(run)
        raise


def _what_to_do(request: TrainRequest) -> tuple[TrainingPlan, RunOptions, Path, Path]:
    runs = request.options.run
    if not request.resume:
        path = request.find_data(request.data)
        return request.plan, request.options, path, runs / run_name(request.name, request.plan.arch)
    run, record = find_stopped(runs, request.name)
    plan = plan_of(record)
    for name in sorted(request.explicit & set(asdict(plan))):
        wanted, had = getattr(request.plan, name), getattr(plan, name)
        if wanted != had:
            raise SettingsError(
                f"{run} was begun with {name} {had!r}, not {wanted!r}; resume without that option, or "
                "start a new run"
            )
    recorded = record.inputs["data"]
    path = request.find_data(request.data or Path(str(recorded["path"])))
    opening = request.options.opening.over(SourceOptions.recorded(recorded))
    had = record.inputs.get("qc")
    qc = request.options.qc or (Path(str(had["path"])) if had else None)
    return plan, replace(request.options, seed=record.seed, opening=opening, qc=qc), path, run


def _report_data(data: TrainingData, monitor: Monitor) -> None:
    for split, counts in data.counts().items():
        listed = ", ".join(f"{name} {count}" for name, count in counts.items())
        groups = data.groups().get(split)
        monitor.say(f"{split}: {listed}" + (f" ({counted(groups, 'group')})" if groups else ""))
    if data.divided:
        unit = "by group" if data.groups() else "by tile, as no groups are known: optimistic"
        monitor.say(f"splits that were not stated: divided {unit}")


def _stopped(record: RunRecord, run: Path, processes: Processes) -> None:
    record.state = "stopped"
    if processes.is_first:
        record.write(run)


def _how_to_continue(run: Path) -> str:
    options = ["--resume", "--name", run.name]
    options += [] if run.parent == Path("runs") else ["--runs", str(run.parent)]
    return f"continue with `{shlex.join(['histo', 'train', *options])}`"
