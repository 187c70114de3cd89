"""Stain normalisation inside a model: a module that a checkpoint carries."""

import torch
from torch import Tensor, nn

from histocli.stain.conventions import find_convention
from histocli.stain.normalizer import normalized_grey_levels
from histocli.stain.reference import PUBLISHED_REFERENCE, StainReference
from histocli.stain.status import DEFAULT_GUARDS, Guards


class MacenkoNormalization(nn.Module):
    """Normalise float tiles ``(N, 3, H, W)`` in [0, 1], each by its own estimate.

    The output is rounded to 8 bits, as a normalised file is, so that a tile gives the model the same
    input whichever way it came; the rounding passes gradients through unchanged. A tile without a
    usable stain passes as it is.

    Args:
        reference: The stain to normalise to.
        convention: Whose constants.
        guards: When a tile's own estimate is not trusted.
    """

    def __init__(
        self,
        reference: StainReference = PUBLISHED_REFERENCE,
        convention: str = "torchstain",
        guards: Guards = DEFAULT_GUARDS,
    ) -> None:
        super().__init__()
        self.reference = reference
        self.convention = find_convention(convention)
        self.guards = guards

    def forward(self, tiles: Tensor) -> Tensor:
        """Normalise; float32 whatever autocast says, because the estimate needs its digits."""
        with torch.autocast(tiles.device.type, enabled=False):
            grey, _, _ = normalized_grey_levels(
                tiles.float(), self.convention, self.reference, self.guards, torch.float32
            )
            rounded = grey + (grey.round() - grey).detach()
            return rounded / 255.0
