"""Reinhard's method behind the interface of the stain normalisers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from histocli.errors import SettingsError
from histocli.stain.arrays import Array, device_of, namespace_of, to_numpy
from histocli.stain.backends import find_array_backend
from histocli.stain.batches import NormalizedTiles, StainImage, as_tiles, check_tiles, in_parts
from histocli.stain.color_reference import PUBLISHED_COLOR_REFERENCE, ColorReference
from histocli.stain.context import EstimateSource, parse_chain
from histocli.stain.conventions import find_convention
from histocli.stain.pixels import ArrayPixels
from histocli.stain.reinhard import (
    ColorStatistics,
    apply_color_statistics,
    estimate_color_statistics,
)
from histocli.stain.status import DEFAULT_GUARDS, Guards, StainStatus

METHOD = "Reinhard's method"


@dataclass(frozen=True)
class ReinhardNormalizer:
    """Give tiles the mean color and its spread of a reference. It knows no stains.

    Args:
        convention: Whose rule of what is tissue: a key of ``CONVENTIONS``.
        backend: ``torch`` (``auto`` too) or ``numpy``; there is no fused body.
        reference: The colors to normalise to.
        guards: When a tile's statistics are not trusted.
        context: Whose statistics are used, the first that can be: ``tile``, ``group``, ``dataset``.
        tissue_only: Measure and change tissue alone. Otherwise all pixels, as torchstain does: a tile
            with much glass then turns purple.
    """

    convention: str = "torchstain"
    backend: str = "auto"
    reference: ColorReference = PUBLISHED_COLOR_REFERENCE
    guards: Guards = DEFAULT_GUARDS
    context: str = "tile"
    tissue_only: bool = True

    def normalize(
        self,
        tiles: Array,
        others: Mapping[EstimateSource, Sequence[ColorReference | None]] | None = None,
        references: Sequence[ColorReference] | None = None,
        image: StainImage = "normalized",
    ) -> NormalizedTiles:
        """Normalise uint8 tiles of shape ``(N, 3, H, W)``; see ``StainNormalizer.normalize``.

        Raises:
            SettingsError: If an image of one stain is asked for.
        """
        check_tiles(tiles)
        if image != "normalized":
            raise SettingsError(f"{METHOD} separates no {image}; choose macenko or vahadane")
        backend, convention = (
            find_array_backend(self.backend, tiles, METHOD),
            find_convention(self.convention),
        )
        chain = parse_chain(self.context)
        work = backend.enter(tiles)

        def one_part(first: int, last: int) -> tuple[Array, ...]:
            pixels = ArrayPixels.of(work[first:last], convention, backend.float_type(work))
            own = self._measure(pixels)
            given = {source: stains[first:last] for source, stains in (others or {}).items()}
            merged, used = _first_usable(own, given, chain)
            targets = [self.reference] if references is None else references[first:last]
            light, status = self._apply(pixels, merged, targets)
            xp = namespace_of(status)
            applied = status == int(StainStatus.OK)
            # A tile that others' statistics served keeps the status of its own.
            status = xp.where(applied, own.status_codes, status)
            count, nan = status.shape[0], float("nan")
            like = own.means
            return (
                as_tiles(light, work[first:last].shape),
                xp.full((count, 3, 2), nan, dtype=like.dtype, device=device_of(like)),
                xp.full((count, 2), nan, dtype=like.dtype, device=device_of(like)),
                own.tissue_fraction,
                status,
                xp.where(applied, used, int(EstimateSource.IDENTITY)),
            )

        outputs = in_parts(one_part, work, backend.pixels_at_once)
        return NormalizedTiles(*(backend.leave(output) for output in outputs))

    def grey_levels(
        self,
        tiles: Array,
        others: Mapping[EstimateSource, Sequence[ColorReference | None]] | None = None,
    ) -> Array:
        """Normalise floats in [0, 1]; see ``StainNormalizer.grey_levels``."""
        pixels = ArrayPixels.of(tiles, find_convention(self.convention), tiles.dtype)
        own = self._measure(pixels)
        merged, _ = _first_usable(own, others or {}, parse_chain(self.context))
        light, _ = self._apply(pixels, merged, [self.reference])
        return namespace_of(light).reshape(light, tuple(tiles.shape))

    def parameters(self, tiles: Array) -> NDArray[np.float64]:
        """Means and standard deviations of each tile in a row, ``(N, 6)``; NaN where not usable."""
        check_tiles(tiles)
        backend, convention = (
            find_array_backend(self.backend, tiles, METHOD),
            find_convention(self.convention),
        )
        work = backend.enter(tiles)

        def one_part(first: int, last: int) -> tuple[Array, ...]:
            pixels = ArrayPixels.of(work[first:last], convention, backend.float_type(work))
            own = self._measure(pixels)
            return own.means, own.standard_deviations, own.status_codes

        means, deviations, status = (
            to_numpy(column) for column in in_parts(one_part, work, backend.pixels_at_once)
        )
        rows = np.concatenate([means, deviations], axis=1).astype(np.float64)
        return np.where((status == int(StainStatus.OK))[:, None], rows, np.nan)

    def typical(self, parameters: NDArray[np.float64], name: str) -> ColorReference | None:
        """The median color of tiles given by their ``parameters``; None without a usable one."""
        there = parameters[np.isfinite(parameters).all(axis=1)]
        if not len(there):
            return None
        values = [float(value) for value in np.median(there, axis=0)]
        return ColorReference(
            (values[0], values[1], values[2]), (values[3], values[4], values[5]), name
        )

    def fit(self, image: Array, name: str = "fitted") -> Self:
        """Take the colors of an image, uint8 ``(3, H, W)``, as the reference.

        Raises:
            ValueError: If the image holds no tissue, or a single color.
        """
        reference = self.typical(self.parameters(image[None] if image.ndim == 3 else image), name)
        if reference is None:
            raise ValueError("no usable colors in the image; choose another")
        return replace(self, reference=reference)

    def with_reference(self, reference: ColorReference) -> Self:
        """The same, but normalising to something else."""
        return replace(self, reference=reference)

    @staticmethod
    def load_reference(path: Path) -> ColorReference:
        """Read a reference that was saved as JSON.

        Raises:
            InputError: If the file is none.
        """
        return ColorReference.load(path)

    def _measure(self, pixels: ArrayPixels) -> ColorStatistics:
        return estimate_color_statistics(
            pixels.grey, pixels.tissue, self.guards, tissue_only=self.tissue_only
        )

    def _apply(
        self, pixels: ArrayPixels, statistics: ColorStatistics, targets: Sequence[ColorReference]
    ) -> tuple[Array, Array]:
        """``apply_color_statistics`` with one target for all tiles, or one for each."""
        grey, changeable = pixels.grey, pixels.tissue if self.tissue_only else None
        xp = namespace_of(grey)
        light, status = grey, statistics.status_codes
        for target in sorted(set(targets), key=repr):
            mine = xp.asarray(
                [other == target for other in targets] * (len(grey) if len(targets) == 1 else 1),
                device=device_of(grey),
            )
            its_light, its_status = apply_color_statistics(
                grey, statistics, target, self.guards, changeable=changeable
            )
            light = xp.where(mine[:, None, None], its_light, light)
            status = xp.where(mine, its_status, status)
        return light, status


def _first_usable(
    own: ColorStatistics,
    others: Mapping[EstimateSource, Sequence[ColorReference | None]],
    chain: Sequence[EstimateSource],
) -> tuple[ColorStatistics, Array]:
    """The first usable statistics of each tile, and whose they are."""
    xp = namespace_of(own.means)
    like = own.means
    means, deviations = own.means, own.standard_deviations
    glass = own.status_codes == int(StainStatus.BLANK)
    used = xp.full(
        glass.shape, int(EstimateSource.IDENTITY), dtype=xp.int64, device=device_of(like)
    )
    for source in chain:
        if source is EstimateSource.TILE:
            there, centers, spreads = own.status_codes == int(StainStatus.OK), own.means, deviations
        elif source in others:
            known = others[source]
            there = xp.asarray([stain is not None for stain in known], device=device_of(like))
            filled = [stain or PUBLISHED_COLOR_REFERENCE for stain in known]
            centers, spreads = (
                xp.asarray(rows, dtype=like.dtype, device=device_of(like))
                for rows in (
                    [stain.means for stain in filled],
                    [stain.standard_deviations for stain in filled],
                )
            )
        else:
            continue
        take = there & ~glass & (used == int(EstimateSource.IDENTITY))
        means = xp.where(take[:, None], centers, means)
        deviations = xp.where(take[:, None], spreads, deviations)
        used = xp.where(take, int(source), used)
    found = used != int(EstimateSource.IDENTITY)
    unused = xp.where(
        own.status_codes == int(StainStatus.OK), int(StainStatus.LOW_TISSUE), own.status_codes
    )
    status = xp.where(found, int(StainStatus.OK), unused)
    return ColorStatistics(means, deviations, own.tissue_fraction, status), used
