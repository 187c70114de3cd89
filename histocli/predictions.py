"""``predictions.csv``: the contract between predicting, evaluating and reporting."""

import csv
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from sys import intern
from typing import Self

import numpy as np
from numpy.typing import NDArray

from histocli.atomic_files import write_csv
from histocli.errors import InputError


@dataclass(frozen=True)
class Predictions:
    """What a model said of some tiles.

    Attributes:
        tiles: Tile ids, as in the data set's table.
        classes: Class names in the model's order.
        probabilities: Float64, shape ``(N, K)``, rows sum to 1, as the model gives them.
        predicted: Class name per tile, by the run's stored operating point.
        labels: True class names, None where unknown.
        groups: Patient or slide, None where unknown.
        calibrated: Like ``probabilities``, after the run's stored calibration; None without one.
    """

    tiles: Sequence[str]
    classes: Sequence[str]
    probabilities: NDArray[np.float64]
    predicted: Sequence[str]
    labels: Sequence[str | None]
    groups: Sequence[str | None]
    calibrated: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        check_probabilities(self.probabilities, len(self.tiles), len(self.classes))
        if self.calibrated is not None:
            check_probabilities(self.calibrated, len(self.tiles), len(self.classes))

    @property
    def label_indices(self) -> NDArray[np.int64]:
        """Index of each true class, -1 where the label is unknown.

        Raises:
            InputError: If a label is not one of the model's classes.
        """
        index = {name: position for position, name in enumerate(self.classes)}
        unknown = sorted({label for label in self.labels if label and label not in index})
        if unknown:
            raise InputError(
                f"the model does not know the label {unknown[0]!r} (its classes: "
                f"{', '.join(self.classes)}); evaluate it on data with the classes it was trained on"
            )
        return np.array([-1 if label is None else index[label] for label in self.labels], np.int64)

    def write(self, path: Path) -> None:
        """Write the table; every probability keeps all its digits."""
        header = ["tile", "group", "label", "predicted"]
        header += [f"probability_{name}" for name in self.classes]
        columns = [self.probabilities]
        if self.calibrated is not None:
            header += [f"calibrated_{name}" for name in self.classes]
            columns.append(self.calibrated)
        numbers = np.concatenate(columns, axis=1)
        texts = zip(self.tiles, self.groups, self.labels, self.predicted, strict=True)
        rows = ([*text, *row.tolist()] for text, row in zip(texts, numbers, strict=True))
        write_csv(path, header, rows)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a table that ``write`` wrote.

        Raises:
            InputError: If the file is absent or is not such a table.
        """
        try:
            with path.open(newline="") as file:
                return cls._parse(path, csv.reader(file))
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise InputError(f"{path}: cannot read the predictions: {error}") from error
        except (IndexError, ValueError) as error:
            raise InputError(f"{path}: damaged predictions table: {error}") from error

    @classmethod
    def _parse(cls, path: Path, lines: Iterator[list[str]]) -> Self:
        """Row by row: a table of ten million tiles has to fit in memory as columns, not as rows."""
        header = next(lines, [])
        place = {name: index for index, name in enumerate(header)}
        named = [name for name in header if name.startswith("probability_")]
        classes = [name.removeprefix("probability_") for name in named]
        if not {"tile", "group", "label", "predicted"} <= set(header) or not classes:
            raise InputError(f"{path}: not a predictions table; write one with `histo predict`")
        calibrated = [f"calibrated_{name}" for name in classes if f"calibrated_{name}" in place]
        if calibrated and len(calibrated) != len(classes):
            raise ValueError("a column of calibrated probabilities is missing")
        tiles: list[str] = []
        texts: dict[str, list[str]] = {"group": [], "label": [], "predicted": []}
        numbers = array("d")
        wanted = [place[name] for name in (*named, *calibrated)]
        for line in lines:
            if len(line) != len(header):
                raise ValueError(f"row {len(tiles)} has {len(line)} columns, not {len(header)}")
            tiles.append(line[place["tile"]])
            for name, column in texts.items():
                # The same few words in every row: one copy of each.
                column.append(intern(line[place[name]]))
            numbers.extend([float(line[index]) for index in wanted])
        table = np.frombuffer(numbers, np.float64).reshape(len(tiles), len(wanted))
        try:
            return cls(
                tiles=tiles,
                classes=classes,
                probabilities=np.ascontiguousarray(table[:, : len(classes)]),
                predicted=texts["predicted"],
                labels=[label or None for label in texts["label"]],
                groups=[group or None for group in texts["group"]],
                calibrated=np.ascontiguousarray(table[:, len(classes) :]) if calibrated else None,
            )
        except InputError as error:
            raise InputError(f"{path}: damaged predictions table: {error}") from error


def check_probabilities(probabilities: NDArray[np.float64], tiles: int, classes: int) -> None:
    """Check shape, finiteness and row sums; never repair.

    Raises:
        InputError: Naming the first row that is wrong.
    """
    if probabilities.shape != (tiles, classes):
        raise InputError(
            f"probabilities have the shape {probabilities.shape}, expected {(tiles, classes)}"
        )
    wrong = ~(np.isfinite(probabilities).all(axis=1) & (probabilities >= 0).all(axis=1))
    wrong |= ~(np.abs(probabilities.sum(axis=1) - 1) <= 1e-6)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise InputError(
            f"row {row} of the probabilities is {probabilities[row].tolist()}: they must be finite, "
            "not negative, and sum to 1"
        )
