"""What is known of one explained tile, and the files that tell it."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from histocli.atomic_files import write_csv
from histocli.data.writing import write_tile
from histocli.explain.scores.regions import RegionScore

MAPS = "maps"
COLUMNS = (
    *("tile", "group", "label", "predicted", "probability", "explained_class"),
    *("center_share", "enrichment", "map_file"),
)
REGION_COLUMNS = ("share", "chance", "enrichment", "pointing", "overlap")


@dataclass(frozen=True)
class ExplainedTile:
    """One row of ``attention.csv``.

    Attributes:
        index: Position in the source's table.
        id: Of the tile.
        group: Patient or slide.
        label: True class.
        predicted: Class by the run's operating point.
        probability: Of the explained class.
        explained_class: The class whose score the map explains.
        center_share: Share of the map in the center box; NaN if the map is empty.
        chance_share: What a map that is the same everywhere would have.
        margin: How far the probability is from changing the prediction, 0 to 1.
        size_px: Height and width.
        regions: How the map lies to the regions that are known of the tile.
        stains: How much of either stain lies where the map is.
        ring_only: True if the tile is known to have tumor, but none in its center.
    """

    index: int
    id: str
    group: str | None
    label: str | None
    predicted: str
    probability: float
    explained_class: str
    center_share: float
    chance_share: float
    margin: float
    size_px: tuple[int, int]
    regions: Mapping[str, RegionScore] = field(default_factory=dict)
    stains: Mapping[str, RegionScore] = field(default_factory=dict)
    ring_only: bool = False

    @property
    def is_correct(self) -> bool:
        """Whether the prediction is the label."""
        return self.predicted == self.label

    @property
    def is_empty(self) -> bool:
        """Whether the map has no mass."""
        return math.isnan(self.center_share)

    @property
    def enrichment(self) -> float:
        """How many times more of the map lies in the box than chance would put there."""
        return self.center_share / self.chance_share

    @property
    def map_file(self) -> str:
        """POSIX path of the map below the explanation's folder."""
        return f"{MAPS}/{self.id}" if self.id.endswith(".png") else f"{MAPS}/{self.id}.png"


def write_table(path: Path, tiles: Sequence[ExplainedTile]) -> None:
    """Write ``attention.csv``; what is undefined, as the share of an empty map, is an empty cell."""
    regions = list(dict.fromkeys(name for tile in tiles for name in tile.regions))
    stains = list(dict.fromkeys(name for tile in tiles for name in tile.stains))
    # The center's own columns are the two that have always been there.
    measured = [
        f"{name}_{what}"
        for name in regions
        for what in REGION_COLUMNS
        if f"{name}_{what}" not in COLUMNS
    ]
    write_csv(
        path,
        [*COLUMNS, "tumor_in_ring_only", *measured, *(f"{name}_enrichment" for name in stains)],
        [
            [
                *(tile.id, tile.group, tile.label, tile.predicted),
                *(tile.probability, tile.explained_class),
                *([None, None] if tile.is_empty else [tile.center_share, tile.enrichment]),
                *(tile.map_file, tile.ring_only),
                *_measured(tile, regions, stains),
            ]
            for tile in tiles
        ],
    )


def _measured(
    tile: ExplainedTile, regions: Sequence[str], stains: Sequence[str]
) -> Iterator[float | None]:
    for name in regions:
        for what in REGION_COLUMNS:
            if f"{name}_{what}" not in COLUMNS:
                yield _defined(getattr(tile.regions.get(name), what, math.nan))
    for name in stains:
        yield _defined(tile.stains[name].enrichment)


def _defined(value: float) -> float | None:
    return value if math.isfinite(value) else None


def write_map(output: Path, tile: ExplainedTile, values: NDArray[np.float64]) -> None:
    """Write a map ``(H, W)`` as 8-bit grey, white where it is strongest; an empty one is black."""
    highest = float(values.max())
    scaled = values / highest if highest > 0 else np.zeros_like(values)
    write_tile(output / tile.map_file, np.rint(scaled * 255).astype(np.uint8))


def remove_other_maps(output: Path, tiles: Sequence[ExplainedTile]) -> None:
    """Delete the maps of an earlier explanation that this one did not replace."""
    written = {output / tile.map_file for tile in tiles}
    for path in (output / MAPS).rglob("*.png"):
        if path not in written:
            path.unlink()
