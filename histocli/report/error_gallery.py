"""The worst errors of an evaluation: which tiles, what they were called, and how sure the model was."""

import io
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from PIL import Image

from histocli.report.pictures import Picture, photograph
from histocli.report.run_summary import Evaluation, RunSummary
from histocli.report.wording import number

SHOWN_PER_KIND = 6
SHOWN_SIDE_PX = 144


@dataclass(frozen=True)
class TileError:
    """One tile that was called what it is not.

    Attributes:
        certainty: The probability of the class that it was called.
    """

    tile: str
    kind: str
    label: str
    predicted: str
    certainty: float


@dataclass(frozen=True)
class ShownError:
    """One picture of the gallery."""

    picture: Picture
    kind: str
    words: str


def worst_errors(summary: RunSummary, shown: int = SHOWN_PER_KIND) -> list[TileError]:
    """The surest errors on the headline split: false negatives first, then false positives.

    Args:
        summary: Of the run.
        shown: Largest number of each kind; of more than two classes every error is of one kind.
    """
    headline = summary.headline
    if headline is None or headline.predictions is None:
        return []
    errors = sorted(_errors(headline), key=lambda each: (-each.certainty, each.tile))
    kinds = ("False negative", "False positive", "Wrong class")
    return [each for kind in kinds for each in [one for one in errors if one.kind == kind][:shown]]


def gallery(
    summary: RunSummary, tiles: Mapping[str, bytes], shown: int = SHOWN_PER_KIND
) -> list[ShownError]:
    """The worst errors with their tiles, as far as these are at hand.

    Args:
        summary: Of the run.
        tiles: An image file of each tile, by the name in ``predictions.csv``.
        shown: Largest number of each kind.
    """
    found = []
    for error in worst_errors(summary, shown):
        content = tiles.get(error.tile)
        if content is not None:
            sure = number(error.certainty)
            words = f"{error.tile}: {error.label}, called {error.predicted} ({sure})"
            found.append(ShownError(_small(content, words), error.kind, words))
    return found


def _errors(evaluation: Evaluation) -> list[TileError]:
    predictions, positive = evaluation.predictions, evaluation.metrics.get("positive_class")
    if predictions is None:
        return []
    labels, classes = predictions.label_indices, list(predictions.classes)
    found = []
    for place in np.flatnonzero(labels >= 0).tolist():
        label, predicted = classes[labels[place]], predictions.predicted[place]
        if label == predicted:
            continue
        kind = "Wrong class"
        if positive is not None:
            kind = "False negative" if label == positive else "False positive"
        certainty = float(predictions.probabilities[place, classes.index(predicted)])
        found.append(TileError(predictions.tiles[place], kind, label, predicted, certainty))
    return found


def _small(content: bytes, words: str) -> Picture:
    with Image.open(io.BytesIO(content)) as image:
        small = image.convert("RGB")
    small.thumbnail((SHOWN_SIDE_PX, SHOWN_SIDE_PX), Image.Resampling.LANCZOS)
    return photograph(small, words)
