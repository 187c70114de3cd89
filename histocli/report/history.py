"""Read ``history.csv``: one row per epoch."""

import csv
from pathlib import Path

from histocli.errors import InputError
from histocli.report.run_summary import Epoch

MEASURED = (
    "learning_rate",
    "train_loss",
    "valid_loss",
    "valid_auroc",
    "images_per_second",
    "seconds",
)


def read_history(path: Path) -> tuple[Epoch, ...]:
    """Read the epochs of a run; an empty cell is NaN.

    Raises:
        InputError: If the table is absent or damaged.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            table = csv.DictReader(file)
            rows = list(table)
        columns = {*(table.fieldnames or ())}
        epochs = tuple(_epoch(row) for row in rows)
    except (OSError, KeyError, TypeError, ValueError, csv.Error) as error:
        raise InputError(
            f"{path}: damaged history ({error!r}); continue the run with `histo train --resume`"
        ) from error
    if not {"epoch", *MEASURED} <= columns:
        raise InputError(f"{path}: not a training history; write one with `histo train`")
    return epochs


def _epoch(row: dict[str, str]) -> Epoch:
    numbers = {name: float("nan" if row[name] == "" else row[name]) for name in MEASURED}
    return Epoch(epoch=int(row["epoch"]), **numbers)
