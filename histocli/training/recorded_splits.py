"""The split of each tile as training recorded it in ``splits.csv``."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from histocli.errors import InputError
from histocli.training.run import SPLITS_NAME


@dataclass(frozen=True, slots=True)
class RecordedTile:
    """One row.

    Attributes:
        label: Class name; empty where unknown.
        group: Patient or slide; empty where unknown.
        split: train, valid or test; empty for a tile that was left out.
    """

    label: str
    group: str
    split: str


def recorded_tiles(run: Path) -> list[RecordedTile]:
    """The table of a run.

    Raises:
        InputError: If it cannot be read.
    """
    path = run / SPLITS_NAME
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return [
                RecordedTile(row["label"], row["group"], row["split"])
                for row in csv.DictReader(file)
            ]
    except (OSError, KeyError, ValueError, csv.Error) as error:
        raise InputError(f"{path}: cannot read the splits ({error}); train again") from error


def labels_of_training(
    tiles: Sequence[RecordedTile], classes: Sequence[str]
) -> NDArray[np.int64] | None:
    """Classes of the training tiles; None if there are none."""
    position = {name: index for index, name in enumerate(classes)}
    found = [
        position[tile.label] for tile in tiles if tile.split == "train" and tile.label in position
    ]
    return np.array(found, np.int64) if found else None
