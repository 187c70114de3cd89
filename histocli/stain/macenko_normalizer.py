"""Macenko's method behind the interface of the stain normalisers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import array_api_compat

from histocli.stain.arrays import Array, namespace_of
from histocli.stain.batches import NormalizedTiles, StainImage, check_tiles
from histocli.stain.chain import as_arrays
from histocli.stain.context import EstimateSource, parse_chain
from histocli.stain.conventions import Convention, find_convention
from histocli.stain.macenko import StainEstimate, estimate_stains
from histocli.stain.normalizer import StainNormalizer
from histocli.stain.pixels import Pixels
from histocli.stain.reference import StainReference


@dataclass(frozen=True)
class MacenkoNormalizer(StainNormalizer):
    """Normalise the stain of tiles by Macenko's method.

    Example:
        >>> import numpy as np
        >>> white = np.full((1, 3, 8, 8), 255, np.uint8)
        >>> result = MacenkoNormalizer().normalize(white)
        >>> str(result.status[0]), bool((result.tiles == white).all())
        ('blank', True)
    """

    def normalize(
        self,
        tiles: Array,
        others: Mapping[EstimateSource, Sequence[StainReference | None]] | None = None,
        references: Sequence[StainReference] | None = None,
        image: StainImage = "normalized",
    ) -> NormalizedTiles:
        """See ``StainNormalizer.normalize``; on CUDA a single launch where each tile stands alone."""
        check_tiles(tiles)
        alone = references is None and image == "normalized"
        alone = alone and parse_chain(self.context) == (EstimateSource.TILE,)
        if alone and self._find_backend(tiles).name == "cuda":
            return self._normalize_at_once(tiles)
        return super().normalize(tiles, others, references, image)

    def _normalize_at_once(self, tiles: Array) -> NormalizedTiles:
        from histocli.stain.kernels import cuda  # needs CuPy

        backend, constants = self._find_backend(tiles), find_convention(self.convention)
        # Tiles that lie on the device already stay on their own library's stream.
        there = array_api_compat.is_torch_array(tiles) and tiles.is_cuda
        work = tiles if there else backend.enter(tiles)
        out, stains = cuda.normalize(work, constants, self.reference, self.guards)
        xp = namespace_of(stains.used)
        used = xp.where(stains.used, int(EstimateSource.TILE), int(EstimateSource.IDENTITY))
        matrix, maxima = as_arrays([self.reference], stains.maximum_concentrations)
        outputs = (
            out,
            xp.where(stains.used[:, None, None], stains.stain_matrices, matrix),
            xp.where(stains.used[:, None], stains.maximum_concentrations, maxima),
            stains.tissue_fraction,
            stains.status_codes,
            xp.astype(used, xp.int64),
        )
        return NormalizedTiles(*(outputs if there else map(backend.leave, outputs)))

    def _estimate(self, pixels: Pixels, convention: Convention) -> StainEstimate:
        return estimate_stains(pixels, convention, self.guards)
