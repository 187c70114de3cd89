"""Tiles on which an explanation is tested, and the model's opinion of changed ones."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from histocli.models.classifier import TileClassifier


@dataclass(frozen=True)
class Probe:
    """Some tiles of one size, and the class whose score is explained.

    Attributes:
        model: In evaluation mode, asked once for each tile: without turns and flips.
        tiles: As ``model.prepare`` gives them, shape ``(N, 3, H, W)``.
        explained: Index of the class, shape ``(N,)``.
        groups: Patient or slide of each tile.
        batch_size: Tiles per pass.
    """

    model: TileClassifier
    tiles: Tensor
    explained: Tensor
    groups: Sequence[str | None]
    batch_size: int

    @property
    def size_px(self) -> tuple[int, int]:
        """Height and width."""
        return int(self.tiles.shape[2]), int(self.tiles.shape[3])

    def log_probabilities(self, changed: Tensor) -> Tensor:
        """Logarithm of the explained class's probability for changed tiles, float64, shape ``(N,)``."""
        return self._log_softmax(changed)[0]

    def log_odds(self, changed: Tensor) -> Tensor:
        """Logarithm of the odds of the explained class, float64, shape ``(N,)``."""
        own, others = self._log_softmax(changed)
        return own - others

    def _log_softmax(self, changed: Tensor) -> tuple[Tensor, Tensor]:
        """Of the explained class, and of all the others together."""
        found = []
        with torch.no_grad():
            for start in range(0, len(changed), self.batch_size):
                # On the CPU, because not every device has float64.
                logits = self.model.classify(changed[start : start + self.batch_size])
                found.append(logits.cpu().double().log_softmax(dim=1))
        every = torch.cat(found)
        rows = self.explained.cpu()[:, None]
        others = every.scatter(1, rows, -torch.inf).logsumexp(dim=1)
        return every.gather(1, rows).squeeze(1), others
