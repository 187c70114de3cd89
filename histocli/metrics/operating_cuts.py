"""Every way to cut tiles in two by their score, and what each way finds and leaves alone."""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from histocli.errors import InputError
from histocli.metrics.definitions.arrays import FloatArray
from histocli.metrics.definitions.ranking import counts_by_score


@dataclass(frozen=True)
class Cuts:
    """Every way to cut the tiles in two by their score; cut ``i`` calls scores from ``i`` on positive.

    Attributes:
        scores: Distinct scores, lowest first, shape ``(D,)``.
        sensitivity: At each cut, shape ``(D + 1,)``, from 1 to 0.
        specificity: At each cut, shape ``(D + 1,)``, from 0 to 1.
        prevalence: Share of positive tiles.
    """

    scores: FloatArray
    sensitivity: FloatArray
    specificity: FloatArray
    prevalence: float

    @classmethod
    def of(cls, labels01: ArrayLike, scores: ArrayLike) -> Self:
        """All cuts of labelled tiles.

        Raises:
            InputError: If one of the two classes has no tile.
        """
        is_positive = np.asarray(labels01).astype(np.bool_)
        values = np.asarray(scores, np.float64)
        positives, negatives = counts_by_score(is_positive, values)
        total_positives, total_negatives = positives.sum(), negatives.sum()
        if total_positives == 0 or total_negatives == 0:
            raise InputError(
                "an operating point needs labelled tiles of both classes in the validation split: "
                "add tiles of the missing class to it"
            )
        return cls(
            np.unique(values),
            (total_positives - np.append(0, np.cumsum(positives))) / total_positives,
            np.append(0, np.cumsum(negatives)) / total_negatives,
            float(total_positives / len(values)),
        )

    def threshold(self, cut: int) -> float:
        """A threshold in the middle of the gap, so that a small change decides no tile otherwise."""
        low = float(self.scores[cut - 1]) if cut > 0 else 0.0
        if cut == len(self.scores):
            # Nothing is called positive, not even a tile at the highest score.
            middle = low + (1 - low) / 2
            return middle if middle > low else math.nextafter(low, math.inf)
        high = float(self.scores[cut])
        middle = low + (high - low) / 2
        return middle if low < middle or cut == 0 else high

    def gaps(self) -> FloatArray:
        """Distance between the scores on both sides of each cut, shape ``(D + 1,)``."""
        return np.diff(np.concatenate([[0.0], self.scores, [max(1.0, float(self.scores[-1]))]]))

    def widest(self, gain: FloatArray) -> int:
        """Of the cuts with the greatest gain the one in the widest gap, then the highest.

        Gains that differ by rounding only are equal: a cut's counts are whole numbers.
        """
        best = np.flatnonzero(gain >= gain.max() - 1e-12)
        gaps = self.gaps()[best]
        return int(best[np.flatnonzero(gaps == gaps.max())[-1]])
