"""Cross-validation: one run for each fold, each tile predicted by the model that has not seen it."""

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from histocli.atomic_files import write_json
from histocli.errors import InputError, InterruptedRunError, SettingsError, StoppedError
from histocli.metrics.definitions.auroc import auroc, macro_auroc
from histocli.predictions import Predictions
from histocli.run_record import RECORD_NAME, RunRecord
from histocli.training.api import TrainRequest, run_training
from histocli.training.folds import Fold
from histocli.training.joining import finish_joined, join_members, join_splits
from histocli.training.monitor import Monitor
from histocli.training.plan import TrainingPlan
from histocli.training.processes import process_count, process_rank
from histocli.training.run import VALIDATION_TABLE, clear_run, discard_run, held, run_name

OUT_OF_FOLD_TABLE = "out_of_fold.csv"
SUMMARY = "cross_validation.json"
MEMBER_NAME = re.compile(r"(fold-\d+|model)(-seed-\d+)?")


@dataclass(frozen=True)
class Member:
    """One run of a cross-validation."""

    name: str
    fold: Fold | None
    seed: int


def members_of(folds: int, repeats: int, seed: int) -> list[Member]:
    """The runs of ``folds`` folds, divided and trained anew with each of ``repeats`` seeds."""
    found = []
    for repeat in range(repeats):
        for number in range(1, folds + 1):
            name = f"fold-{number}" if folds > 1 else "model"
            name += f"-seed-{seed + repeat}" if repeats > 1 else ""
            fold = Fold(number, folds, seed + repeat) if folds > 1 else None
            found.append(Member(name, fold, seed + repeat))
    return found


def cross_validate(
    request: TrainRequest, monitor: Monitor, folds: int, repeats: int
) -> dict[str, Any]:
    """Train every member, those that are done excepted, and sum up; the facts for the user.

    The folder is a run itself: its model is the mean of the members, its operating point and calibration
    are chosen on the tiles as the members predicted them that have not seen them.

    Raises:
        SettingsError: If there is no name where one is needed.
        HistoError: As training does; run again to continue.
    """
    if request.resume:
        _check_begun(request)
    if request.name is None and not request.dry_run:
        if process_count() > 1:
            raise SettingsError(
                "--folds and --repeats in several processes: give a --name that all of them know"
            )
        name = run_name(None, f"{request.plan.arch}-{folds}-folds")
        request = replace(request, name=name)
    parent = request.options.run / (request.name or "cross-validation")
    members = members_of(folds, repeats, request.options.seed)
    if request.overwrite and not request.dry_run and process_rank() == 0:
        _clear(parent, monitor)
    facts: list[dict[str, Any]] = []
    for member in members:
        monitor.say(f"{member.name}: {len(facts) + 1} of {len(members)}")
        record = RunRecord.read_if_present(parent / member.name)
        if record is not None and record.state == "done" and not request.overwrite:
            monitor.say(f"{parent / member.name} has ended already")
            continue
        options = replace(request.options, run=parent, seed=member.seed)
        part = replace(request, name=member.name, options=options, fold=member.fold, resume=False)
        try:
            facts.append(run_training(part, monitor).facts)
        except (StoppedError, InterruptedRunError) as error:
            # What is said there continues this member alone.
            what, name = str(error).partition(";")[0], shlex.quote(parent.name)
            raise type(error)(
                f"{what}; run the same command again with --name {name} to continue"
            ) from None
    if request.dry_run:
        first = facts[0] if facts else {"run": str(parent)}  # where all have ended already
        return {**first, "folds": folds, "repeats": repeats, "runs": len(members)}
    return _sum_up(parent, members, folds, repeats, request.plan)


def _check_begun(request: TrainRequest) -> None:
    """Refuse to continue what is not named, or not there.

    Raises:
        SettingsError: If there is no name.
        InputError: If nothing of that name was begun.
    """
    if request.name is None:
        raise SettingsError(
            "--resume with --folds or --repeats: name what shall be continued, by --name"
        )
    parent = request.options.run / request.name
    if not _members_in(parent):
        raise InputError(
            f"{parent}: no such cross-validation; check --name, or start it without --resume"
        )


def _members_in(parent: Path) -> list[Path]:
    """Runs that a cross-validation made, of however many folds."""
    runs = sorted(path.parent for path in parent.glob(f"*/{RECORD_NAME}"))
    return [run for run in runs if MEMBER_NAME.fullmatch(run.name)]


def _clear(parent: Path, monitor: Monitor) -> None:
    """Delete an earlier cross-validation: what was made of it would not be of the new one.

    Raises:
        BusyOutputError: If another process is training one of its runs.
    """
    for run in _members_in(parent):
        with held(run, monitor.say):
            discard_run(run)
    if RunRecord.read_if_present(parent) is not None:
        clear_run(parent)


def _sum_up(
    parent: Path, members: Sequence[Member], folds: int, repeats: int, plan: TrainingPlan
) -> dict[str, Any]:
    names = [member.name for member in members]
    tables = [Predictions.read(parent / name / VALIDATION_TABLE) for name in names]
    scores = [macro_auroc(t.probabilities, t.label_indices) for t in tables]
    joined = join_members(parent, names, plan.operating_point, plan.calibration)
    joined.write(parent / OUT_OF_FOLD_TABLE)
    labels = joined.label_indices
    summary: dict[str, Any] = {
        "folds": folds,
        "repeats": repeats,
        "members": [
            {"run": member.name, "seed": member.seed, "valid_auroc": score}
            for member, score in zip(members, scores, strict=True)
        ],
        "valid_auroc_mean": float(np.mean(scores)),
        "valid_auroc_sd": float(np.std(scores, ddof=1)) if len(scores) > 1 else None,
        "out_of_fold_auroc": macro_auroc(joined.probabilities, labels),
        "out_of_fold_auroc_per_class": {
            name: float(auroc(labels == k, joined.probabilities[:, k]))
            for k, name in enumerate(joined.classes)
        },
        "out_of_fold_tiles": len(joined.tiles),
    }
    write_json(parent / SUMMARY, summary)
    join_splits(parent, names)
    results = {
        "cross_validation": summary,
        "best_valid_auroc": summary["out_of_fold_auroc"],
    }
    finish_joined(parent, names[0], results)
    return {"run": str(parent), **summary}
