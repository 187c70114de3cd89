"""Predict the same tiles again, disturbed more and more."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from histocli.data.perturb import PERTURBATIONS, perturb
from histocli.data.tiles import Tile, TileSource
from histocli.models.classifier import ModelCard, TileClassifier
from histocli.predictions import Predictions
from histocli.training.epoch import LoopSettings
from histocli.training.predict import predict

Advance = Callable[[int], None]
DisturbedPredictions = tuple[str, str, float, Predictions]


@dataclass(frozen=True)
class DisturbedSource:
    """A source whose tiles come disturbed.

    Attributes:
        source: Of the tiles as they are.
        perturbation: A key of ``PERTURBATIONS``.
        strength: In its unit.
        seed: Of its random directions.
    """

    source: TileSource
    perturbation: str
    strength: float
    seed: int

    @property
    def root(self) -> Path:
        """The file or folder that the user named."""
        return self.source.root

    @property
    def layout(self) -> str:
        """Name of the layout."""
        return self.source.layout

    @property
    def tiles(self) -> Sequence[Tile]:
        """The same table."""
        return self.source.tiles

    def read(self, index: int) -> NDArray[np.uint8]:
        """One tile, disturbed, shape ``(H, W, 3)``."""
        pixels = np.ascontiguousarray(self.source.read(index).transpose(2, 0, 1)[np.newaxis])
        ids = [self.source.tiles[index].id]
        disturbed = perturb(pixels, self.perturbation, self.strength, ids, self.seed)
        return np.ascontiguousarray(disturbed[0].transpose(1, 2, 0))

    def read_bytes(self, index: int) -> bytes:
        """Content of the undisturbed tile as stored."""
        return self.source.read_bytes(index)


def predict_disturbed(
    model: TileClassifier,
    card: ModelCard,
    source: TileSource,
    indices: Sequence[int],
    settings: LoopSettings,
    begin: Callable[[str, int], Advance],
    *,
    batch_size: int,
    workers: int | None,
    seed: int,
) -> tuple[Predictions, list[DisturbedPredictions]]:
    """Predict tiles as they are and under every perturbation at every strength.

    One view of each tile is predicted, whatever the run averages over: the eight orientations would
    take eight times as long, and would hide what a rotation does.

    Args:
        model: On ``settings.device``.
        card: Its operating point decides.
        source: Of the tiles as they are.
        indices: Which tiles; those that cannot be read are left out.
        settings: Of the loop body.
        begin: Called with the stage and its number of tiles.
        batch_size: Tiles per batch.
        workers: Decoding threads.
        seed: Of the random directions.

    Returns:
        The undisturbed predictions, and by perturbation, unit and strength the disturbed ones.
    """

    def predicted(seen: TileSource, stage: str) -> Predictions:
        loop = replace(settings, views="none", progress=begin(stage, len(indices)))
        return predict(model, card, seen, indices, loop, [], batch_size=batch_size, workers=workers)

    undisturbed = predicted(source, "stress: as it is")
    disturbed = [
        (
            name,
            perturbation.unit,
            strength,
            predicted(
                DisturbedSource(source, name, strength, seed), f"stress: {name} {strength:g}"
            ),
        )
        for name, perturbation in PERTURBATIONS.items()
        for strength in perturbation.strengths
    ]
    return undisturbed, disturbed


def evenly_chosen(indices: Sequence[int], most: int) -> list[int]:
    """At most so many tiles, spread evenly over the table."""
    if len(indices) <= most:
        return list(indices)
    return [indices[place] for place in np.linspace(0, len(indices) - 1, most).astype(int).tolist()]
