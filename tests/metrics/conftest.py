"""Random tables of predictions, with ties and of any shape."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from histocli.metrics.definitions.evidence import Evidence
from histocli.predictions import Predictions

MakeEvidence = Callable[..., Evidence]
MakePredictions = Callable[..., Predictions]


def random_probabilities(
    generator: np.random.Generator, labels: np.ndarray, classes: int, levels: int
) -> np.ndarray:
    """Rows that favour the label, made of few distinct values so that many scores tie."""
    raw = generator.integers(1, levels + 1, size=(len(labels), classes)).astype(np.float64)
    raw[np.arange(len(labels)), labels] += generator.integers(0, levels, size=len(labels))
    return np.asarray(raw / raw.sum(axis=1, keepdims=True))


@pytest.fixture
def make_evidence() -> MakeEvidence:
    def make(seed: int, tiles: int = 60, classes: int = 2, levels: int = 4) -> Evidence:
        generator = np.random.default_rng(seed)
        labels = generator.integers(classes, size=tiles)
        probabilities = random_probabilities(generator, labels, classes, levels)
        return Evidence(
            label_indices=labels,
            predicted_indices=probabilities.argmax(axis=1),
            probabilities=probabilities,
            positive_index=1 if classes == 2 else None,
            weights=np.ones(tiles),
        )

    return make


@pytest.fixture
def make_predictions() -> MakePredictions:
    def make(
        seed: int = 0,
        tiles: int = 80,
        classes: Sequence[str] = ("normal", "tumor"),
        labels: Sequence[str | None] | None = None,
        groups: Sequence[str | None] | None = None,
        *,
        calibrated: bool = False,
    ) -> Predictions:
        generator = np.random.default_rng(seed)
        truth = generator.integers(len(classes), size=tiles)
        probabilities = random_probabilities(generator, truth, len(classes), 6)
        return Predictions(
            tiles=[f"{row}.png" for row in range(tiles)],
            classes=classes,
            probabilities=probabilities,
            predicted=[classes[index] for index in probabilities.argmax(axis=1)],
            labels=[classes[index] for index in truth] if labels is None else labels,
            groups=[None] * tiles if groups is None else groups,
            calibrated=(probabilities + 1 / len(classes)) / 2 if calibrated else None,
        )

    return make
