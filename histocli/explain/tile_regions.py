"""The regions of tiles that maps are scored against, and the groups that tiles are told apart by."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from histocli.data.tiles import Tile, TileBatch, TileSource
from histocli.errors import InputError
from histocli.explain.scores.center import CenterBox
from histocli.explain.scores.regions import RegionScore, score_regions, score_stain
from histocli.explain.scores.stains import stained_pixels

# Columns of a table that say where there is tumor: anywhere or in the ring, and in the center.
TUMOR_COLUMNS = (("tumor_patch", "center_tumor_patch"), ("tumor_in_ring", "tumor_in_center"))
TRUE = {"true", "1", "yes"}
REGIONS = ("center", "box", "tissue", "nuclei", "tumor")
STAINS = ("hematoxylin", "eosin")


@runtime_checkable
class Masked(Protocol):
    """A source that knows where in its tiles the tumor lies."""

    def read_mask(self, index: int) -> NDArray[np.bool_] | None:
        """True where a pixel is tumor, shape ``(H, W)``; None if that is not known."""


@dataclass(frozen=True)
class TileScores:
    """Everything scored of one map.

    Attributes:
        regions: By region.
        stains: By stain.
    """

    regions: Mapping[str, RegionScore]
    stains: Mapping[str, RegionScore]


def score_batch(
    batch: TileBatch,
    maps: NDArray[np.float64],
    grid: tuple[int, int],
    source: TileSource,
    boxes: Mapping[str, CenterBox],
) -> list[TileScores]:
    """Score the maps of a batch against every region that is known of its tiles.

    Args:
        batch: The tiles.
        maps: At their resolution, shape ``(N, H, W)``.
        grid: Rows and columns that the maps were enlarged from.
        source: May know the masks of tumor.
        boxes: Regions that are the same in all tiles.
    """
    stained = stained_pixels(batch.pixels)
    regions = {name: _filled(box, maps.shape) for name, box in boxes.items()}
    regions |= {"tissue": stained.tissue, "nuclei": stained.nuclei}
    tumor = _tumor(batch, source, maps.shape)
    if tumor is not None:
        regions["tumor"] = tumor
    scored = {name: score_regions(maps, region, grid) for name, region in regions.items()}
    stains = {
        "hematoxylin": score_stain(maps, stained.hematoxylin),
        "eosin": score_stain(maps, stained.eosin),
    }
    return [
        TileScores(
            {name: scores[row] for name, scores in scored.items()},
            {name: scores[row] for name, scores in stains.items()},
        )
        for row in range(len(maps))
    ]


def has_tumor_in_ring_only(tile: Tile) -> bool:
    """Whether the table says that there is tumor in the tile, but none in its center."""
    for somewhere, center in TUMOR_COLUMNS:
        if somewhere in tile.extra and center in tile.extra:
            return _is_true(tile.extra[somewhere]) and not _is_true(tile.extra[center])
    return False


def follows_center_rule(source: TileSource) -> bool:
    """Whether it is known that the labels are those of the tiles' centers, as PatchCamelyon's are."""
    if source.layout in ("patchcamelyon", "kaggle"):
        return True
    extra = source.tiles[0].extra if source.tiles else {}
    return any(center in extra for _, center in TUMOR_COLUMNS)


def _is_true(text: str) -> bool:
    return text.strip().lower() in TRUE


def _filled(box: CenterBox, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    region = np.zeros(shape, np.bool_)
    region[:, box.top : box.bottom, box.left : box.right] = True
    return region


def _tumor(
    batch: TileBatch, source: TileSource, shape: tuple[int, ...]
) -> NDArray[np.bool_] | None:
    """Masks of tumor, empty for a tile that has none; None if the source has no masks.

    Raises:
        InputError: If a mask has not the size of its tile.
    """
    if not isinstance(source, Masked):
        return None
    masks = [source.read_mask(index) for index in batch.indices.tolist()]
    if all(mask is None for mask in masks):
        return None
    wrong = next((mask for mask in masks if mask is not None and mask.shape != shape[1:]), None)
    if wrong is not None:
        raise InputError(
            f"{source.root}: a mask of {wrong.shape[1]}x{wrong.shape[0]} px does not lie on a tile of "
            f"{shape[2]}x{shape[1]} px; save the masks at the size of the tiles"
        )
    empty = np.zeros(shape[1:], np.bool_)
    return np.stack([empty if mask is None else mask for mask in masks])
