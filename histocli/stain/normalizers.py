"""The methods of stain normalisation by name, and what they have in common."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from histocli.errors import SettingsError
from histocli.stain.arrays import Array
from histocli.stain.batches import NormalizedTiles, StainImage
from histocli.stain.color_reference import ColorReference
from histocli.stain.context import EstimateSource
from histocli.stain.macenko_normalizer import MacenkoNormalizer
from histocli.stain.reference import StainReference
from histocli.stain.reinhard_normalizer import ReinhardNormalizer
from histocli.stain.status import Guards
from histocli.stain.vahadane_normalizer import VahadaneNormalizer

# A method knows one of the two; who holds a normaliser need not know which.
Reference: TypeAlias = StainReference | ColorReference


class Normalizer(Protocol):
    """What every method of stain normalisation offers; see ``StainNormalizer``."""

    @property
    def reference(self) -> Any:
        """What it normalises to. Any: each method takes back the references that it gave."""

    @property
    def convention(self) -> str:
        """A key of ``CONVENTIONS``."""

    @property
    def backend(self) -> str:
        """A key of ``BACKENDS``."""

    @property
    def guards(self) -> Guards:
        """When an estimate is not trusted."""

    @property
    def context(self) -> str:
        """Whose estimate is used, the first that can be."""

    def normalize(
        self,
        tiles: Array,
        others: Mapping[EstimateSource, Sequence[Any]] | None = None,
        references: Sequence[Any] | None = None,
        image: StainImage = "normalized",
    ) -> NormalizedTiles:
        """Normalise uint8 tiles of shape ``(N, 3, H, W)``."""

    def grey_levels(
        self, tiles: Array, others: Mapping[EstimateSource, Sequence[Any]] | None = None
    ) -> Array:
        """Normalise floats in [0, 1], differentiably where the library can; not rounded."""

    def parameters(self, tiles: Array) -> NDArray[np.float64]:
        """What is measured of each tile, a row each; NaN where it is not usable."""

    def typical(self, parameters: NDArray[np.float64], name: str) -> Any:
        """The median of tiles as a reference; None without a usable one."""

    def fit(self, image: Array, name: str = "fitted") -> Self:
        """Take an image, uint8 ``(3, H, W)``, as the reference."""

    def with_reference(self, reference: Any) -> Self:
        """The same, but normalising to something else."""

    @staticmethod
    def load_reference(path: Path) -> Any:
        """Read a reference that was saved as JSON."""


NORMALIZERS: Mapping[str, Callable[..., Normalizer]] = {
    "macenko": MacenkoNormalizer,
    "reinhard": ReinhardNormalizer,
    "vahadane": VahadaneNormalizer,
}


def find_normalizer(method: str) -> Callable[..., Normalizer]:
    """Look a method up by name.

    Raises:
        SettingsError: Listing the known ones.
    """
    if method not in NORMALIZERS:
        raise SettingsError(
            f"unknown stain method {method!r}; choose one of {', '.join(NORMALIZERS)}"
        )
    return NORMALIZERS[method]


def method_name(normalizer: Normalizer) -> str:
    """The name of a normaliser's method."""
    return next(name for name, kind in NORMALIZERS.items() if type(normalizer) is kind)
