"""An ensemble of runs that were trained apart."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from histocli.atomic_files import remove_abandoned, temporary_name
from histocli.errors import SettingsError
from histocli.metrics.definitions.auroc import macro_auroc
from histocli.models.checkpoint import load_card, load_model
from histocli.predictions import Predictions
from histocli.run_record import RECORD_NAME, RunRecord
from histocli.training.joining import finish_joined, join_members, join_splits
from histocli.training.run import SPLITS_NAME, VALIDATION_TABLE


def make_ensemble(
    runs: Sequence[Path],
    parent: Path,
    *,
    operating_point: str,
    calibration: str,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Write a run whose model is the mean of others, which are copied into it.

    Args:
        runs: Runs that have ended, trained on the same data.
        parent: Folder to write.
        operating_point: The rule that chooses the threshold, as typed.
        calibration: A key of ``CALIBRATORS``, or ``none``.
        overwrite: Replace an earlier ensemble.

    Returns:
        The facts for the user.

    Raises:
        SettingsError: If the runs cannot answer as one, or the folder may not be replaced.
        InputError: If one of them is damaged.
    """
    _check(runs, parent, overwrite=overwrite)
    parent.parent.mkdir(parents=True, exist_ok=True)
    remove_abandoned(parent.parent, parent.name)
    # Made beside it: a folder of that name is a whole ensemble.
    made = temporary_name(parent)
    try:
        facts = _make(runs, made, operating_point, calibration)
        if parent.exists():
            shutil.rmtree(parent)
        made.rename(parent)
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return {"run": str(parent), **facts}


def _make(
    runs: Sequence[Path], folder: Path, operating_point: str, calibration: str
) -> dict[str, Any]:
    names = [run.resolve().name for run in runs]
    for run, name in zip(runs, names, strict=True):
        _copy(run, folder / name)
    joined = join_members(folder, names, operating_point, calibration)
    join_splits(folder, names)
    # Read it back before it is called a run: members that cannot answer as one are found here.
    _, card = load_model(folder)
    members = [
        {"run": name, "valid_auroc": _auroc(Predictions.read(folder / name / VALIDATION_TABLE))}
        for name in names
    ]
    results: dict[str, Any] = {
        "ensemble": members,
        "best_valid_auroc": _auroc(joined),
        "validation_tiles": len(joined.tiles),
    }
    finish_joined(folder, names[0], results)
    return {"operating_point": dict(card.operating_point), **results}


def _check(runs: Sequence[Path], parent: Path, *, overwrite: bool) -> None:
    names = [run.resolve().name for run in runs]
    if len(set(names)) < max(2, len(names)):
        raise SettingsError("an ensemble needs two or more runs with different names")
    if any(parent.resolve() == run.resolve() for run in runs):
        raise SettingsError(f"{parent} is one of the runs; choose another --name")
    if parent.exists() and not (overwrite and (parent / RECORD_NAME).is_file()):
        raise SettingsError(f"{parent} exists; choose another --name, or pass --overwrite")
    records = [RunRecord.read(run) for run in runs]
    for run, record in zip(runs, records, strict=True):
        if record.command != "train" or record.state != "done":
            raise SettingsError(f"{run}: not a training that has ended; see histo train --resume")
        card = load_card(run)
        if card.members:
            raise SettingsError(f"{run} is an ensemble itself; name its members")
        views, those = card.test_time_augmentation, load_card(runs[0]).test_time_augmentation
        if views != those:
            raise SettingsError(
                f"{run} was validated with the test-time augmentation {views}, {runs[0]} with {those}: "
                "their mean has no threshold; train them alike"
            )
        mine, first = (each.inputs.get("data", {}).get("sha256") for each in (record, records[0]))
        if mine != first:
            raise SettingsError(f"{run} was trained on other data than {runs[0]}")


def _copy(run: Path, target: Path) -> None:
    """What the ensemble needs of a run, without its checkpoints, evaluations and pictures."""
    target.mkdir(parents=True)
    names = ["best_model.safetensors", "best_model.json", RECORD_NAME]
    for name in [*names, VALIDATION_TABLE, SPLITS_NAME, "history.csv"]:
        if (run / name).is_file():
            shutil.copyfile(run / name, target / name)


def _auroc(table: Predictions) -> float:
    return macro_auroc(table.probabilities, table.label_indices)
