"""Reinhard's method behind the interface of the stain normalisers."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from histocli.errors import SettingsError
from histocli.stain.arrays import Array, device_of, namespace_of, to_numpy
from histocli.stain.backends import check_backend, find_array_backend
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
from histocli.stain.color_reference import PUBLISHED_COLOR_REFERENCE, ColorReference
from histocli.stain.context import EstimateSource, parse_chain
from histocli.stain.conventions import find_convention
from histocli.stain.pixels import ArrayPixels
from histocli.stain.reinhard import (
    ColorStatistics,
    apply_color_statistics,
    as_colors,
    color_stretch,
    estimate_color_statistics,
)
from histocli.stain.status import DEFAULT_GUARDS, Guards, StainStatus, worse_of

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

    def __post_init__(self) -> None:
        """Refuse unknown names at once, not at the first tile."""
        find_convention(self.convention)
        check_backend(self.backend, METHOD)
        parse_chain(self.context)

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
        check_image(image)
        given_to_all = {source.label: colors for source, colors in (others or {}).items()}
        check_given(tiles, **given_to_all, references=references or [self.reference])
        if image != "normalized":
            raise SettingsError(f"{METHOD} separates no {image}; choose macenko or vahadane")
        backend, convention = (
            find_array_backend(self.backend, tiles, METHOD),
            find_convention(self.convention),
        )
        work = backend.enter(tiles)

        def one_part(first: int, last: int) -> tuple[Array, ...]:
            pixels = ArrayPixels.of(work[first:last], convention, backend.float_type(work))
            own = self._measure(pixels)
            given = {
                source: portion(colors, first, last) for source, colors in (others or {}).items()
            }
            targets = portion(references or [self.reference], first, last)
            light, used, status = self._apply(pixels, own, given, targets)
            xp, like = namespace_of(status), own.means
            nothing = xp.full(
                (status.shape[0], 1), math.nan, dtype=like.dtype, device=device_of(like)
            )
            return (
                as_tiles(light, work[first:last].shape),
                xp.broadcast_to(nothing[:, :, None], (status.shape[0], 3, 2)),
                xp.broadcast_to(nothing, (status.shape[0], 2)),
                own.tissue_fraction,
                status,
                used,
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
        light, _, _ = self._apply(pixels, self._measure(pixels), others or {}, [self.reference])
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
        reference = self.typical(self.parameters(as_batch(image)), name)
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
        return ColorReference.load(Path(path))

    def _measure(self, pixels: ArrayPixels) -> ColorStatistics:
        return estimate_color_statistics(
            pixels.grey, pixels.tissue, self.guards, tissue_only=self.tissue_only
        )

    def _apply(
        self,
        pixels: ArrayPixels,
        own: ColorStatistics,
        others: Mapping[EstimateSource, Sequence[ColorReference | None]],
        targets: Sequence[ColorReference],
    ) -> tuple[Array, Array, Array]:
        """Grey levels before rounding, whose statistics served each tile, and the tiles' own status."""
        grey = pixels.grey
        xp = namespace_of(grey)
        target_means, target_deviations = as_colors(targets, own.means)
        means, stretch = own.means, xp.ones_like(own.means)
        glass = own.status_codes == int(StainStatus.BLANK)
        used = xp.full_like(own.status_codes, int(EstimateSource.IDENTITY))
        for source in parse_chain(self.context):
            if source is not EstimateSource.TILE and source not in others:
                continue
            there, centers, spreads = _statistics_of(source, own, others)
            wanted = color_stretch(spreads, target_deviations)
            sane = xp.all(wanted <= self.guards.concentration_scale, axis=-1)
            take = there & sane & ~glass & (used == int(EstimateSource.IDENTITY))
            means = xp.where(take[:, None], centers, means)
            stretch = xp.where(take[:, None], wanted, stretch)
            used = xp.where(take, int(source), used)
        changeable = (used != int(EstimateSource.IDENTITY))[:, None]
        changeable = changeable & (
            pixels.tissue if self.tissue_only else xp.ones_like(pixels.tissue)
        )
        light = apply_color_statistics(grey, means, stretch, target_means, changeable)
        wild = color_stretch(own.standard_deviations, target_deviations)
        wild = xp.any(wild > self.guards.concentration_scale, axis=-1)
        return light, used, worse_of(own.status_codes, wild, StainStatus.ILL_CONDITIONED)


def _statistics_of(
    source: EstimateSource,
    own: ColorStatistics,
    others: Mapping[EstimateSource, Sequence[ColorReference | None]],
) -> tuple[Array, Array, Array]:
    """Where a source has statistics of a tile, and its means and standard deviations."""
    if source is EstimateSource.TILE:
        usable = own.status_codes == int(StainStatus.OK)
        return usable, own.means, own.standard_deviations
    xp, known = namespace_of(own.means), others[source]
    there = xp.asarray(
        [colors is not None for colors in known], dtype=xp.bool, device=device_of(own.means)
    )
    return there, *as_colors([colors or PUBLISHED_COLOR_REFERENCE for colors in known], own.means)
