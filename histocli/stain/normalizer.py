"""What the methods that find two stains have in common: uint8 tiles in, uint8 tiles out."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from histocli.stain.arrays import Array, namespace_of, to_numpy
from histocli.stain.backends import Backend, check_backend, find_backend
from histocli.stain.batches import (
    NormalizedTiles,
    StainImage,
    as_batch,
    as_tiles,
    check_given,
    check_image,
    check_tiles,
    in_parts,
    portion,
)
from histocli.stain.chain import apply_chain, candidate_of, own_candidate
from histocli.stain.context import Candidate, EstimateSource, parse_chain
from histocli.stain.conventions import Convention, find_convention
from histocli.stain.macenko import StainEstimate
from histocli.stain.pixels import ArrayPixels, Pixels
from histocli.stain.reference import PUBLISHED_REFERENCE, StainReference
from histocli.stain.status import DEFAULT_GUARDS, Guards, StainStatus


@dataclass(frozen=True)
class StainNormalizer(ABC):
    """Normalise tiles by two stain vectors and their maximum concentrations.

    Args:
        convention: Whose constants: a key of ``CONVENTIONS``.
        backend: ``auto`` works where the tiles lie: compiled loops on the CPU, CuPy kernels on CUDA,
            torch elsewhere. ``numpy`` is float64, slow, and what the others are tested against.
        reference: The stain to normalise to.
        guards: When an estimate is not trusted.
        context: Whose estimate is used, the first that can be: ``tile``, ``group``, ``dataset``,
            separated by commas. A tile stays as it is where none can.
    """

    convention: str = "torchstain"
    backend: str = "auto"
    reference: StainReference = PUBLISHED_REFERENCE
    guards: Guards = DEFAULT_GUARDS
    context: str = "tile"

    def __post_init__(self) -> None:
        """Refuse unknown names at once, not at the first tile."""
        find_convention(self.convention)
        check_backend(self.backend)
        parse_chain(self.context)

    @abstractmethod
    def _estimate(self, pixels: Pixels, convention: Convention) -> StainEstimate:
        """The stains of each tile."""

    def _find_backend(self, tiles: Array) -> Backend:
        """The body that works on ``tiles``."""
        return find_backend(self.backend, tiles)

    def normalize(
        self,
        tiles: Array,
        others: Mapping[EstimateSource, Sequence[StainReference | None]] | None = None,
        references: Sequence[StainReference] | None = None,
        image: StainImage = "normalized",
    ) -> NormalizedTiles:
        """Normalise uint8 tiles of shape ``(N, 3, H, W)``.

        A tile without a usable stain comes back as it was, with a status that says why.

        Args:
            tiles: A NumPy, torch or CuPy array in any memory layout.
            others: Stain of each tile's group, and of the data set, where the context names them.
            references: What to normalise each tile to, if not all to the one.
            image: ``normalized``, or one stain alone, ``hematoxylin`` or ``eosin``, in the reference's
                colors. A tile without a usable estimate is separated by the reference's stains.

        Raises:
            ValueError: If the array is not uint8 of that shape, or stains are given for another number of
                tiles.
            SettingsError: If the image is unknown.
        """
        check_tiles(tiles)
        check_image(image)
        given_to_all = {source.label: stains for source, stains in (others or {}).items()}
        check_given(tiles, **given_to_all, references=references or [self.reference])
        backend, constants = self._find_backend(tiles), find_convention(self.convention)
        work = backend.enter(tiles)

        def one_part(first: int, last: int) -> tuple[Array, ...]:
            pixels = backend.pixels(work[first:last], constants)
            estimate = self._estimate(pixels, constants)
            given = {
                source: portion(stains, first, last) for source, stains in (others or {}).items()
            }
            candidates = self._candidates(estimate, given)
            targets = portion(references or [self.reference], first, last)
            light, choice, status = apply_chain(
                pixels, estimate, candidates, targets, self.guards, image
            )
            return (
                as_tiles(light, work[first:last].shape),
                choice.stain_matrices,
                choice.maximum_concentrations,
                estimate.tissue_fraction,
                status,
                choice.used,
            )

        outputs = in_parts(one_part, work, backend.pixels_at_once)
        return NormalizedTiles(*(backend.leave(output) for output in outputs))

    def grey_levels(
        self,
        tiles: Array,
        others: Mapping[EstimateSource, Sequence[StainReference | None]] | None = None,
    ) -> Array:
        """Normalise floats in [0, 1], shape ``(N, 3, H, W)``, by the array library that they are of.

        Returns:
            Grey levels 0 to 255, not rounded; differentiable where the library can.
        """
        convention = find_convention(self.convention)
        pixels = ArrayPixels.of(tiles, convention, tiles.dtype)
        estimate = self._estimate(pixels, convention)
        candidates = self._candidates(estimate, others or {})
        light, _, _ = apply_chain(pixels, estimate, candidates, [self.reference], self.guards)
        return namespace_of(light).reshape(light, tuple(tiles.shape))

    def _candidates(
        self,
        estimate: StainEstimate,
        others: Mapping[EstimateSource, Sequence[StainReference | None]],
    ) -> list[Candidate]:
        """The chain that the context names, as far as it is known."""
        return [
            own_candidate(estimate)
            if source is EstimateSource.TILE
            else candidate_of(source, others[source], estimate)
            for source in parse_chain(self.context)
            if source is EstimateSource.TILE or source in others
        ]

    def estimate(self, tiles: Array) -> StainEstimate:
        """Estimate the stains of uint8 tiles ``(N, 3, H, W)`` and leave the tiles alone."""
        check_tiles(tiles)
        backend, constants = self._find_backend(tiles), find_convention(self.convention)
        work = backend.enter(tiles)

        def one_part(first: int, last: int) -> tuple[Array, ...]:
            found = self._estimate(backend.pixels(work[first:last], constants), constants)
            return tuple(vars(found).values())

        return StainEstimate(
            *(backend.leave(output) for output in in_parts(one_part, work, backend.pixels_at_once))
        )

    def parameters(self, tiles: Array) -> NDArray[np.float64]:
        """Stain matrix and maximum concentrations of each tile in a row, ``(N, 8)``; NaN if unusable."""
        found = self.estimate(tiles)
        matrices, maxima = to_numpy(found.stain_matrices), to_numpy(found.maximum_concentrations)
        rows = np.concatenate([matrices.reshape(-1, 6), maxima], axis=1).astype(np.float64)
        return np.where(to_numpy(found.usable)[:, None], rows, np.nan)

    def typical(self, parameters: NDArray[np.float64], name: str) -> StainReference | None:
        """The median stain of tiles given by their ``parameters``; None without a usable one."""
        there = parameters[np.isfinite(parameters).all(axis=1)]
        if not len(there):
            return None
        middle = np.median(there, axis=0)
        matrix = middle[:6].reshape(3, 2)
        return StainReference.of(matrix / np.linalg.norm(matrix, axis=0), middle[6:], name)

    def fit(self, image: Array, name: str = "fitted") -> Self:
        """Take the stain of an image, uint8 ``(3, H, W)``, as the reference.

        Raises:
            ValueError: If the image holds no usable stain.
        """
        tiles = as_batch(image)
        reference = self.typical(self.parameters(tiles), name)
        if reference is None:
            if not len(tiles):
                raise ValueError("no image to take the stain of")
            status = StainStatus(int(to_numpy(self.estimate(tiles).status_codes)[0]))
            raise ValueError(f"no usable stain in the image ({status.label}); choose another")
        return replace(self, reference=reference)

    def with_reference(self, reference: StainReference) -> Self:
        """The same, but normalising to something else."""
        return replace(self, reference=reference)

    @staticmethod
    def load_reference(path: Path) -> StainReference:
        """Read a reference that was saved as JSON.

        Raises:
            InputError: If the file is none.
        """
        return StainReference.load(Path(path))
