"""Stain normalisation inside a model: a module that a checkpoint carries."""

import torch
from torch import Tensor, nn
from torch.jit import is_tracing  # type: ignore[attr-defined]  # not in its __all__

from histocli.stain.context import EstimateSource
from histocli.stain.normalizers import Normalizer, Reference, find_normalizer


class StainNormalization(nn.Module):
    """Normalise float tiles ``(N, 3, H, W)`` in [0, 1].

    The output is rounded to 8 bits, as a normalised file is, so that a tile gives the model the same
    input whichever way it came; the rounding passes gradients through unchanged. A tile without a
    usable stain passes as it is.

    Where no gradient is asked of it the work is done by the fastest body for the device.

    Args:
        normalizer: The method, what to normalise to, and whose estimates to use.
        dataset: The data set's typical stain, where the normaliser's context names it.
        quantize: Round to 8 bits.
    """

    def __init__(
        self,
        normalizer: Normalizer | None = None,
        dataset: Reference | None = None,
        *,
        quantize: bool = True,
    ) -> None:
        super().__init__()
        self.normalizer = find_normalizer("macenko")() if normalizer is None else normalizer
        self.dataset = dataset
        self.quantize = quantize

    def forward(self, tiles: Tensor) -> Tensor:
        """Normalise; in full precision whatever autocast says, because the estimate needs its digits."""
        others = None
        if self.dataset is not None:
            others = {EstimateSource.DATASET: [self.dataset]}
        wants_gradient = torch.is_grad_enabled() and tiles.requires_grad
        if self.quantize and not wants_gradient and not _traced():
            grey = (tiles.detach() * 255.0).round().clamp(0, 255).to(torch.uint8)
            normalized: Tensor = self.normalizer.normalize(grey, others).tiles
            return normalized.float() / 255.0
        with torch.autocast(tiles.device.type, enabled=False):
            unit = tiles if tiles.dtype == torch.float64 else tiles.float()
            light: Tensor = self.normalizer.grey_levels(unit, others)
        if self.quantize:
            light = light + (light.round() - light).detach()
        return light / 255.0


def _traced() -> bool:
    """True while a graph is recorded, into which only torch's own operations go."""
    return bool(is_tracing()) or torch.compiler.is_compiling()
