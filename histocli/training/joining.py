"""Several runs as one: its model is their mean, its decisions are chosen on tiles they have not seen."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from histocli.atomic_files import write_csv, write_json
from histocli.errors import InputError, SettingsError
from histocli.models.checkpoint import BEST, load_card
from histocli.predictions import Predictions
from histocli.run_record import RunRecord
from histocli.training.finish import with_decisions
from histocli.training.run import SPLITS_NAME, VALIDATION_TABLE

if TYPE_CHECKING:
    from numpy.typing import NDArray


def join_members(
    parent: Path, names: Sequence[str], operating_point: str, calibration: str
) -> Predictions:
    """Write the ensemble's description and its validation table; the table comes back.

    Args:
        parent: Folder of the ensemble.
        names: Folders in it, each a run that has ended.
        operating_point: The rule that chooses the threshold, as typed.
        calibration: A key of ``CALIBRATORS``, or ``none``.

    Raises:
        InputError: If a run lacks its tables.
        SettingsError: If the runs cannot answer as one.
    """
    runs = [parent / name for name in names]
    cards = [load_card(run) for run in runs]
    tables = [Predictions.read(run / VALIDATION_TABLE) for run in runs]
    card = replace(cards[0], members=tuple(names), parameters=sum(c.parameters for c in cards))
    joined = _mean_by_tile(tables, card.classes)
    card = with_decisions(
        card, joined.probabilities, joined.label_indices, operating_point, calibration
    )
    joined.write(parent / VALIDATION_TABLE)
    write_json(parent / f"{BEST}.json", card.to_json())
    return joined


def join_splits(parent: Path, names: Sequence[str]) -> None:
    """Write the splits of the ensemble.

    A tile is of a split where all members agree, and otherwise of training: one of them has seen it.
    """
    header, *first = _rows(parent / names[0] / SPLITS_NAME)
    merged = {row[0]: row for row in first}
    for name in names[1:]:
        other = {row[0]: row[-1] for row in _rows(parent / name / SPLITS_NAME)[1:]}
        if other.keys() != merged.keys():
            raise SettingsError(f"{parent / name} was trained on other tiles than {names[0]}")
        for tile, row in merged.items():
            if other[tile] != row[-1]:
                merged[tile] = [*row[:-1], "train"]
    write_csv(parent / SPLITS_NAME, header, list(merged.values()))


def finish_joined(parent: Path, first: str, results: Mapping[str, Any]) -> None:
    """Write the record of the ensemble: that of a member, without what is its own."""
    record = RunRecord.read(parent / first)
    record.inputs.pop("fold", None)
    record.finish(parent, **results)


def _rows(path: Path) -> list[list[str]]:
    try:
        with path.open(newline="") as file:
            return list(csv.reader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot read the splits ({error}); train again") from error


def _mean_by_tile(tables: Sequence[Predictions], classes: Sequence[str]) -> Predictions:
    """The tables as one; a tile that several members predicted has their mean."""
    if any(list(table.classes) != list(classes) for table in tables):
        raise SettingsError("the members have different classes; train them on the same data")
    rows: dict[str, list[NDArray[np.float64]]] = {}
    known: dict[str, tuple[str | None, str | None]] = {}
    for table in tables:
        for position, tile in enumerate(table.tiles):
            rows.setdefault(tile, []).append(table.probabilities[position])
            known[tile] = (table.labels[position], table.groups[position])
    tiles = sorted(rows)
    probabilities = np.array([np.mean(rows[tile], axis=0) for tile in tiles])
    return Predictions(
        tiles=tiles,
        classes=classes,
        probabilities=probabilities,
        predicted=[classes[k] for k in probabilities.argmax(axis=1)],
        labels=[known[tile][0] for tile in tiles],
        groups=[known[tile][1] for tile in tiles],
    )
