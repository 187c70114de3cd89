"""The labelled tiles of a table of predictions: what every analysis starts from."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from histocli.errors import InputError
from histocli.metrics.definitions.arrays import BoolArray, FloatArray, IntArray
from histocli.metrics.definitions.evidence import Evidence
from histocli.predictions import Predictions


@dataclass(frozen=True)
class Labelled:
    """Tiles whose class is known, as arrays.

    Attributes:
        tiles: Tile ids.
        classes: Class names in the model's order.
        positive_index: The class that is looked for; None with more than two classes.
        labels: True class, shape ``(N,)``.
        predicted: Class by the stored operating point, shape ``(N,)``.
        probabilities: As the model gives them, shape ``(N, K)``.
        calibrated: After the stored calibration; None without one.
        groups: Patient or slide, None where unknown.
    """

    tiles: tuple[str, ...]
    classes: tuple[str, ...]
    positive_index: int | None
    labels: IntArray
    predicted: IntArray
    probabilities: FloatArray
    calibrated: FloatArray | None
    groups: tuple[str | None, ...]

    @classmethod
    def of(cls, predictions: Predictions, positive_class: str) -> Self:
        """The labelled tiles of some predictions.

        Raises:
            InputError: If no tile has a label, or the positive class is unknown.
        """
        rows = np.flatnonzero(predictions.label_indices >= 0)
        if rows.size == 0:
            raise InputError(
                "no tile has a label, so there is nothing to compare with: add a label column to its "
                "table, or sort its tiles into class folders; `histo predict` needs none"
            )
        classes = tuple(predictions.classes)
        named = {*predictions.predicted, *([positive_class] if len(classes) == 2 else [])}
        for name in sorted(named - set(classes)):
            raise InputError(
                f"{name!r} is not one of the model's classes ({', '.join(classes)}); "
                "name one of them"
            )
        position = {name: index for index, name in enumerate(classes)}
        chosen = rows.tolist()
        return cls(
            tiles=tuple(predictions.tiles[row] for row in chosen),
            classes=classes,
            positive_index=position[positive_class] if len(classes) == 2 else None,
            labels=predictions.label_indices[rows],
            predicted=np.array([position[predictions.predicted[row]] for row in chosen], np.int64),
            probabilities=predictions.probabilities[rows],
            calibrated=None if predictions.calibrated is None else predictions.calibrated[rows],
            groups=tuple(predictions.groups[row] for row in chosen),
        )

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def best_probabilities(self) -> FloatArray:
        """Calibrated where there is a calibration: for what takes a probability at its word."""
        return self.probabilities if self.calibrated is None else self.calibrated

    @property
    def clusters(self) -> IntArray | None:
        """Groups numbered from 0, a tile without one being its own; None when no group is known."""
        if not any(self.groups):
            return None
        numbers: dict[str | tuple[int], int] = {}
        keys: list[str | tuple[int]] = [group or (row,) for row, group in enumerate(self.groups)]
        return np.array([numbers.setdefault(key, len(numbers)) for key in keys], np.int64)

    @property
    def shown_classes(self) -> list[int]:
        """Of two classes the positive one says it all; of more, each against the rest."""
        if self.positive_index is None:
            return list(range(len(self.classes)))
        return [self.positive_index]

    def is_class(self, index: int) -> BoolArray:
        """True for the tiles of one class, shape ``(N,)``."""
        return np.asarray(self.labels == index, np.bool_)

    def at(self, rows: Sequence[int] | IntArray | BoolArray) -> Self:
        """Some of the tiles, by their places or by a mask."""
        places = np.arange(len(self))[np.asarray(rows)]
        return replace(
            self,
            tiles=tuple(self.tiles[place] for place in places.tolist()),
            labels=self.labels[places],
            predicted=self.predicted[places],
            probabilities=self.probabilities[places],
            calibrated=None if self.calibrated is None else self.calibrated[places],
            groups=tuple(self.groups[place] for place in places.tolist()),
        )

    def decided(self, threshold: float) -> Self:
        """The same tiles decided at another threshold on the positive class's probability.

        Raises:
            ValueError: With more than two classes.
        """
        if self.positive_index is None:
            raise ValueError("a threshold belongs to two classes")
        called = self.probabilities[:, self.positive_index] >= threshold
        positive, negative = self.positive_index, 1 - self.positive_index
        return replace(self, predicted=np.where(called, positive, negative).astype(np.int64))

    def evidence(self) -> Evidence:
        """What the metrics are computed from, each tile counted once."""
        return Evidence(
            label_indices=self.labels,
            predicted_indices=self.predicted,
            probabilities=self.probabilities,
            positive_index=self.positive_index,
            weights=np.ones(len(self)),
        )
