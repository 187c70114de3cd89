"""The scores of every class, each sorted once whatever is asked of it, and however often."""

from dataclasses import dataclass, field

import numpy as np

from histocli.metrics.definitions.arrays import FloatArray, IntArray
from histocli.metrics.definitions.ranking import Ranking


@dataclass(frozen=True)
class Rankings:
    """Rankings of some labelled tiles.

    Attributes:
        label_indices: True class of each tile, shape ``(N,)``.
        probabilities: Shape ``(N, K)``.
    """

    label_indices: IntArray
    probabilities: FloatArray
    _sorted: dict[str, Ranking] = field(default_factory=dict, init=False, repr=False)

    def of_class(self, index: int) -> Ranking:
        """One class against the rest."""
        key = f"{index} against the rest"
        if key not in self._sorted:
            self._sorted[key] = Ranking.of(
                self.label_indices == index, self.probabilities[:, index]
            )
        return self._sorted[key]

    def of_pair(self, index: int, other: int) -> Ranking:
        """One class against one other, by the score of the first; other tiles do not take part."""
        key = f"{index} against {other}"
        if key not in self._sorted:
            whole = self.of_class(index)
            labels = self.label_indices[whole.tiles]
            taking_part = (labels == index) | (labels == other)
            tiles = whole.tiles[taking_part]
            # Sorted already: sorting again takes one pass.
            self._sorted[key] = Ranking.of(
                labels[taking_part] == index, self.probabilities[tiles, index], tiles
            )
        return self._sorted[key]

    @property
    def pooled(self) -> Ranking:
        """The questions "is this tile of that class?" of all tiles and classes, in one ranking."""
        if "pooled" not in self._sorted:
            tiles, classes = self.probabilities.shape
            self._sorted["pooled"] = Ranking.of(
                (self.label_indices[:, np.newaxis] == np.arange(classes)).ravel(),
                self.probabilities.ravel(),
                np.repeat(np.arange(tiles, dtype=np.int64), classes),
            )
        return self._sorted["pooled"]
