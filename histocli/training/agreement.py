"""Does an exported model say what the run says? Both are asked, tile by tile."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from histocli.metrics.calibrators import calibrate
from histocli.metrics.operating_point import decide
from histocli.models.classifier import ModelCard, TileClassifier
from histocli.models.export import OUTPUTS, Predictor, Tiles

LARGEST_DIFFERENCE = 1e-3
LEAST_SHARE = 0.999
# Glass, a scanner's black, and flat pink: tiles without a stain estimate of their own.
BLANK_COLORS = ((255, 255, 255), (0, 0, 0), (225, 160, 200))


@dataclass(frozen=True)
class Agreement:
    """How far an exported model is from its run.

    Attributes:
        tiles: Compared, blank ones included.
        blank_tiles: Of them, tiles of one color.
        share: Of tiles whose probabilities all differ by at most ``LARGEST_DIFFERENCE``.
        largest: Difference of a probability.
        largest_of_blank_tiles: Likewise, of tiles of one color.
        largest_of_calibration: Of the calibrated probabilities from what the run's calibration makes
            of the exported ones; None without a calibration.
        decisions_changed: Tiles that the operating point decides otherwise.
    """

    tiles: int
    blank_tiles: int
    share: float
    largest: float
    largest_of_blank_tiles: float
    largest_of_calibration: float | None
    decisions_changed: int

    @property
    def holds(self) -> bool:
        """True if the exported model may stand for the run."""
        calibrated = self.largest_of_calibration or 0.0
        return self.share >= LEAST_SHARE and calibrated <= LARGEST_DIFFERENCE


def blank_tiles(side: int) -> Tiles:
    """One tile of each of ``BLANK_COLORS``, uint8 ``(3, 3, side, side)``."""
    colors = np.array(BLANK_COLORS, np.uint8)[:, :, None, None]
    return np.broadcast_to(colors, (len(BLANK_COLORS), 3, side, side)).copy()


def compare(
    model: TileClassifier,
    card: ModelCard,
    predictors: dict[str, Predictor],
    batches: Iterable[Tiles],
    side: int,
    progress: Callable[[int], None],
) -> dict[str, Agreement]:
    """Ask the run and each exported model about the same tiles.

    Args:
        model: Of the run, on the CPU.
        card: Of the run.
        predictors: By the name of their file.
        batches: Real tiles, of any number each.
        side: Of the tiles.
        progress: Called with the number of tiles done.
    """
    expected: list[NDArray[np.float64]] = []
    found: dict[str, list[NDArray[np.float64]]] = {name: [] for name in predictors}
    calibration: dict[str, list[float]] = {name: [] for name in predictors}
    blank = blank_tiles(side)
    # The blank ones first, and one by one: the smallest batch there is.
    for tiles in (*(blank[place : place + 1] for place in range(len(blank))), *batches):
        with torch.no_grad():
            logits: torch.Tensor = model(torch.from_numpy(tiles))
        expected.append(logits.double().softmax(dim=1).numpy())
        for name, predict in predictors.items():
            outputs = predict(tiles)
            probabilities = outputs[OUTPUTS[0]]
            found[name].append(probabilities)
            calibrated = calibrate(probabilities, card.calibration)
            if calibrated is not None:
                difference = np.abs(outputs[OUTPUTS[1]] - calibrated).max()
                calibration[name].append(float(difference))
        progress(len(tiles))
    whole = np.concatenate(expected)
    return {
        name: _agreement(card, whole, np.concatenate(found[name]), calibration[name])
        for name in predictors
    }


def _agreement(
    card: ModelCard,
    expected: NDArray[np.float64],
    found: NDArray[np.float64],
    calibration: list[float],
) -> Agreement:
    # What is no number agrees with nothing.
    differences = np.nan_to_num(np.abs(found - expected).max(axis=1), nan=1.0)
    threshold = card.operating_point.get("threshold")
    decided = [
        decide(each, card.classes, card.positive_class, threshold) for each in (expected, found)
    ]
    blank = len(BLANK_COLORS)
    return Agreement(
        tiles=len(expected),
        blank_tiles=blank,
        share=float((differences <= LARGEST_DIFFERENCE).mean()),
        largest=float(differences.max()),
        largest_of_blank_tiles=float(differences[:blank].max()),
        largest_of_calibration=max(calibration, default=None),
        decisions_changed=sum(one != other for one, other in zip(*decided, strict=True)),
    )
