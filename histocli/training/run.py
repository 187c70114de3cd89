"""Run folders of training: begun, found again, continued."""

import csv
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from histocli.atomic_files import remove_temporary_files, write_csv
from histocli.data.normalized import is_normalized
from histocli.data.opening import AS_IT_IS, SourceOptions, tiling_of_the_model
from histocli.data.tiles import SPLIT_ALIASES, Split, TileSource
from histocli.errors import BusyOutputError, InputError, SettingsError
from histocli.run_record import RECORD_NAME, RunRecord
from histocli.training.dataset import TrainingData, restore_splits
from histocli.training.plan import TrainingPlan

SPLITS_NAME = "splits.csv"
LOCK_NAME = ".lock"
# What the finished model says of the validation tiles.
VALIDATION_TABLE = "validation.csv"
# Of runs that were begun before these could be chosen.
BEFORE: Mapping[str, Any] = {"keep_stages": 0, "pooling": "mean", "stem_stride": None}


def run_name(name: str | None, arch: str) -> str:
    """The stated name, or architecture and time."""
    if name is not None and (not name or Path(name).name != name or name in (".", "..")):
        raise SettingsError(f"--name {name!r} must be a plain folder name")
    stamp = datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
    return name or f"{arch.replace('/', '-')}-{stamp}"


def find_stopped(runs: Path, name: str | None) -> tuple[Path, RunRecord]:
    """The run to resume: the named one, or the newest that has not ended.

    Raises:
        SettingsError: If there is none.
        InputError: If the named one is not there.
    """
    if name and not (runs / name).is_dir():
        raise InputError(f"{runs / name}: no such run; start it without --resume")
    folders = [runs / name] if name else [path.parent for path in runs.glob(f"*/{RECORD_NAME}")]
    records = [(folder, RunRecord.read(folder)) for folder in folders]
    open_runs = [(f, r) for f, r in records if r.command == "train" and r.state != "done"]
    if not open_runs:
        what = f"{runs / name} has ended" if name else f"{runs}: no run that stopped before its end"
        raise SettingsError(f"{what}; start a new one without --resume")
    return max(open_runs, key=lambda item: (item[1].started, item[0].name))


@contextmanager
def held(run: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Keep a run's folder for this process alone; what a killed one was about to write is removed.

    Raises:
        BusyOutputError: If another process is training the run.
    """
    run.mkdir(parents=True, exist_ok=True)
    lock = FileLock(run / LOCK_NAME)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise BusyOutputError(
            f"{run}: another process is training it; wait until that has ended, or choose another --name"
        ) from None
    except (OSError, NotImplementedError) as error:
        # A training runs for hours and is seldom begun twice: no reason to refuse such a file system.
        say(f"{run} cannot be locked ({error}): let no other process train it")
    try:
        remove_temporary_files(run)
        yield
    finally:
        lock.release()


def check_run(run: Path, record: RunRecord, *, overwrite: bool) -> RunRecord | None:
    """Check that a run can be begun or continued in a folder; the record of the one that is there.

    Raises:
        SettingsError: If a run of that name has ended, or was made otherwise.
    """
    earlier = RunRecord.read_if_present(run)
    if earlier is not None and not overwrite:
        if earlier.state == "done":
            raise SettingsError(
                f"{run} has ended already; choose another --name, or pass --overwrite"
            )
        record.check_continues(earlier, run)
    elif earlier is None and _files(run):
        raise SettingsError(f"{run} holds files that are no run; choose another --name")
    return earlier


def begin_run(run: Path, record: RunRecord, data: TrainingData, *, overwrite: bool) -> RunRecord:
    """Make the run's folder, or check that the one there can be continued.

    Raises:
        SettingsError: If a run of that name has ended, or was made otherwise.
    """
    earlier = check_run(run, record, overwrite=overwrite)
    if earlier is not None and not overwrite:
        record.started = earlier.started
    elif _files(run):
        clear_run(run)
    run.mkdir(parents=True, exist_ok=True)
    # The record first: it is what makes a folder a run, which can be continued wherever it is killed.
    record.write(run)
    rows = [[tile.id, tile.label, tile.group, tile.split] for tile in data.tiles]
    write_csv(run / SPLITS_NAME, ["tile", "label", "group", "split"], rows)
    return record


def plan_of(record: RunRecord) -> TrainingPlan:
    """The plan that a run was begun with."""
    try:
        return TrainingPlan(**{**BEFORE, **record.settings})
    except TypeError as error:
        raise InputError(f"the run was made by another version of histo ({error})") from error


def record_of(plan: TrainingPlan, data: TrainingData, seed: int, device: str) -> RunRecord:
    """Provenance of a run that begins."""
    inputs: dict[str, dict[str, Any]] = {
        "data": {
            "path": str(data.path.resolve()),
            "sha256": data.sha256,
            "tiles": len(data.tiles),
            **data.facts,
        }
    }
    if data.qc:
        inputs["qc"] = dict(data.qc)
    return RunRecord("train", asdict(plan), inputs, seed=seed, device=device)


def open_split(
    run: Path, data: Path | None, split: Split, opening: SourceOptions = AS_IT_IS
) -> tuple[TileSource, list[int]]:
    """Tiles of one split as the run divided them, or of another data set by its own splits.

    Args:
        run: The run.
        data: Another data set; the run's own when None.
        split: Which split.
        opening: How the data set is opened; the run's own as training opened it.

    Raises:
        InputError: If the data or the split is gone.
    """
    record = RunRecord.read(run)
    own = Path(str(record.inputs["data"]["path"]))
    path = own if data is None else data
    if not path.exists():
        raise InputError(f"{path}: the data of {run} is not there; name it with --data")
    recorded = record.inputs["data"]
    if data is None:
        opening = opening.over(SourceOptions.recorded(recorded))
    source = opening.open(path, tiling_of_the_model(recorded))
    stated = _stated_splits(run)
    # The run's own data keeps the run's splits wherever it lies now: else training tiles would be tested.
    is_own = path.resolve() == own or all(tile.id in stated for tile in source.tiles)
    tiles = restore_splits(source, stated) if is_own else list(source.tiles)
    indices = [i for i, tile in enumerate(tiles) if tile.split == split and tile.label is not None]
    if not indices and data is not None and not any(tile.split for tile in tiles):
        # Other data without splits is all there to be tested on.
        indices = [i for i, tile in enumerate(tiles) if tile.label is not None]
    if not indices:
        raise InputError(f"{path}: no labelled tile in the split {split}; choose --split or --data")
    return source, indices


def check_raw(path: Path, run: Path, *, trained_on_normalized: bool) -> None:
    """Refuse tiles that `histo normalize` wrote, unless the run was trained on such tiles.

    Raises:
        SettingsError: Saying which tiles to name.
    """
    if is_normalized(path) and not trained_on_normalized:
        raise SettingsError(
            f"{path} is normalized already, and {run} expects raw tiles (its normaliser is inside the "
            "model); name the folder that was normalized"
        )


def _stated_splits(run: Path) -> dict[str, Split]:
    path = run / SPLITS_NAME
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return {row["tile"]: SPLIT_ALIASES[row["split"]] for row in csv.DictReader(file)}
    except (OSError, KeyError, ValueError, csv.Error) as error:
        raise InputError(f"{path}: cannot read the splits ({error}); train again") from error


def discard_run(run: Path) -> None:
    """Delete a run that holds nothing worth keeping; files of others stay, and so their folder."""
    clear_run(run)
    if not _files(run):
        (run / LOCK_NAME).unlink(missing_ok=True)
        run.rmdir()


def _files(run: Path) -> list[Path]:
    return [path for path in run.iterdir() if path.name != LOCK_NAME] if run.exists() else []


def clear_run(run: Path) -> None:
    """Delete the files of an earlier run, and only those that histo writes."""
    for pattern in ("*.csv", "*.json", "*.safetensors", "*.png", "*.html", "MODEL_CARD.md"):
        for path in run.glob(pattern):
            path.unlink()
    for name in ("evaluation", "explanation", "export", "tensorboard"):
        folder = run / name
        if folder.is_symlink() or not folder.is_dir():
            continue
        for path in (*sorted(folder.rglob("*"), reverse=True), folder):
            path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
