"""How much of a map lies in a region: share, chance, ceiling, pointing game and overlap."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from histocli.explain.scores.enlarging import interpolation_matrix

UNDEFINED = float("nan")


@dataclass(frozen=True)
class RegionScore:
    """How one map lies to one region of its tile; NaN where the map or the region is empty.

    Attributes:
        share: Part of the map's mass inside: the energy of the pointing game.
        chance: Part of the tile that the region is: what a map alike everywhere has inside.
        ceiling: The highest share that any map of the grid could have.
        pointing: 1 if the strongest pixel lies inside, else 0.
        overlap: Intersection over union of the region and as many of the strongest pixels.
    """

    share: float
    chance: float
    ceiling: float = UNDEFINED
    pointing: float = UNDEFINED
    overlap: float = UNDEFINED

    @property
    def enrichment(self) -> float:
        """How many times more of the map lies inside than chance would put there."""
        return self.share / self.chance if self.chance > 0 else UNDEFINED


def score_regions(
    maps: NDArray[np.float64], regions: NDArray[np.bool_], grid: tuple[int, int]
) -> list[RegionScore]:
    """Score each map against the region of its tile.

    Args:
        maps: At the tile's resolution, none negative, shape ``(N, H, W)``.
        regions: Shape ``(N, H, W)``.
        grid: Rows and columns that the maps were enlarged from.
    """
    ceilings = _ceilings(regions, grid)
    return [
        _score(values, region, ceiling)
        for values, region, ceiling in zip(maps, regions, ceilings, strict=True)
    ]


def score_stain(
    maps: NDArray[np.float64], concentrations: NDArray[np.float64]
) -> list[RegionScore]:
    """Compare a stain where the map is with the stain all over the tile.

    Args:
        maps: None negative, shape ``(N, H, W)``.
        concentrations: None negative, shape ``(N, H, W)``.

    Returns:
        ``share`` is the mean concentration weighted by the map, ``chance`` the plain mean.
    """
    return [
        RegionScore(_weighted_mean(stain, values), float(stain.mean()))
        for values, stain in zip(maps, concentrations, strict=True)
    ]


def _score(values: NDArray[np.float64], region: NDArray[np.bool_], ceiling: float) -> RegionScore:
    chance = float(region.mean())
    if not region.any() or not values.any():
        return RegionScore(UNDEFINED, chance)
    size = int(region.sum())
    # Stable: of equal pixels the first count, the same ones every time.
    strongest = np.argsort(-values, axis=None, kind="stable")
    hits = int(region.ravel()[strongest[:size]].sum())
    return RegionScore(
        share=_weighted_mean(region.astype(np.float64), values),
        chance=chance,
        ceiling=ceiling,
        pointing=float(region.ravel()[strongest[0]]),
        overlap=hits / (2 * size - hits),
    )


def _weighted_mean(values: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    total = float(weights.sum())
    return float((values * weights).sum()) / total if total > 0 else UNDEFINED


def _ceilings(regions: NDArray[np.bool_], grid: tuple[int, int]) -> list[float]:
    """The highest share of each region: that of the best single cell, see ``center.ceiling_share``."""
    _, height, width = regions.shape
    if grid == (height, width):
        return [float(region.any()) for region in regions]
    rows, columns = interpolation_matrix(grid[0], height), interpolation_matrix(grid[1], width)
    rows, columns = rows / rows.sum(axis=0), columns / columns.sum(axis=0)
    along = np.einsum("yh,nyx->nhx", rows, regions.astype(np.float64))
    shares = np.einsum("nhx,xw->nhw", along, columns)
    return [min(1.0, float(share.max())) for share in shares]
