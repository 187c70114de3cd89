"""Vahadane's method behind the interface of the stain normalisers."""

from dataclasses import dataclass
from typing import cast

from histocli.stain.arrays import Array
from histocli.stain.backends import Backend, find_array_backend
from histocli.stain.conventions import Convention
from histocli.stain.macenko import StainEstimate
from histocli.stain.normalizer import StainNormalizer
from histocli.stain.pixels import Pixels
from histocli.stain.vahadane import OpenPixels, estimate_stains


@dataclass(frozen=True)
class VahadaneNormalizer(StainNormalizer):
    """Normalise the stain of tiles by Vahadane's method.

    The backend is ``torch`` (``auto`` too) or ``numpy``; there is no fused body.
    """

    def _find_backend(self, tiles: Array) -> Backend:
        return find_array_backend(self.backend, tiles, "Vahadane's method")

    def _estimate(self, pixels: Pixels, convention: Convention) -> StainEstimate:
        # The two backends open pixels as ArrayPixels.
        return estimate_stains(cast("OpenPixels", pixels), convention, self.guards)
