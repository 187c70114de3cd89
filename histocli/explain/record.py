"""What is known of one explained tile, and the files that tell it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from histocli.atomic_files import write_csv
from histocli.data.writing import write_tile

MAPS = "maps"
COLUMNS = (
    *("tile", "group", "label", "predicted", "probability", "explained_class"),
    *("center_share", "enrichment", "map_file"),
)


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
    """Write ``attention.csv``; the share of an empty map is an empty cell."""
    write_csv(
        path,
        COLUMNS,
        [
            [
                *(tile.id, tile.group, tile.label, tile.predicted),
                *(tile.probability, tile.explained_class),
                *([None, None] if tile.is_empty else [tile.center_share, tile.enrichment]),
                tile.map_file,
            ]
            for tile in tiles
        ],
    )


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
