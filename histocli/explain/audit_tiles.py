"""The tiles that an audit works on, and maps of them by any model."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from histocli.data.loading import SkippedTile, load_batches
from histocli.data.tiles import TileSource
from histocli.errors import InputError
from histocli.explain.maps import BatchMaps, Choice, Explainer
from histocli.explain.record import ExplainedTile
from histocli.explain.selection import select_tiles


@dataclass(frozen=True)
class AuditTiles:
    """Decoded tiles of one size.

    Attributes:
        pixels: uint8, on the device, shape ``(N, 3, H, W)``.
        explained: Index of the class that is explained, shape ``(N,)``.
        groups: Patient or slide of each.
        labels: True class of each.
        batch_size: Tiles per pass.
        already_normalized: True if the tiles come stain-normalised from disk.
    """

    pixels: torch.Tensor
    explained: NDArray[np.int64]
    groups: Sequence[str | None]
    labels: Sequence[str]
    batch_size: int
    already_normalized: bool

    def prepared(self, explainer: Explainer) -> torch.Tensor:
        """The tiles as a model sees them."""
        with torch.no_grad():
            parts = [
                explainer.model.prepare(part, already_normalized=self.already_normalized)
                for part in self.pixels.split(self.batch_size)
            ]
        return torch.cat(parts)

    def maps(self, explainer: Explainer, prepared: torch.Tensor) -> NDArray[np.float64]:
        """Maps of the explained class by a model, as the tiles lie, shape ``(N, h, w)``."""
        found = []
        for start in range(0, len(prepared), self.batch_size):
            part = slice(start, start + self.batch_size)
            maps: BatchMaps = explainer.explain(prepared[part], self.choose(part))
            found.append(maps.grids)
        return np.concatenate(found)

    def choose(self, part: slice) -> Choice:
        """The class that is explained, whatever the probabilities of a changed model."""
        explained = self.explained[part]
        return lambda probabilities: explained[: len(probabilities)]

    def subset(self, rows: NDArray[np.int64]) -> "AuditTiles":
        """Some of the tiles."""
        return replace(
            self,
            pixels=self.pixels[torch.from_numpy(rows).to(self.pixels.device)],
            explained=self.explained[rows],
            groups=[self.groups[row] for row in rows.tolist()],
            labels=[self.labels[row] for row in rows.tolist()],
        )


def read_audit_tiles(
    source: TileSource,
    tiles: Sequence[ExplainedTile],
    classes: Sequence[str],
    count: int,
    *,
    device: torch.device | str,
    batch_size: int,
    seed: int,
    already_normalized: bool,
) -> AuditTiles:
    """Draw tiles that the model takes for the explained class, evenly from the true classes, and read them.

    Where the model says no, there is no evidence to remove. Tiles of another size than most are left out.

    Args:
        source: Where the tiles are.
        tiles: All that were explained.
        classes: Of the model.
        count: How many to draw at most.
        device: Where the model is.
        batch_size: Tiles per pass.
        seed: Of the draw.
        already_normalized: True if the tiles come stain-normalised from disk.

    Raises:
        InputError: If the model takes no tile for the explained class.
    """
    sizes = [tile.size_px for tile in tiles]
    usual = max(sorted(set(sizes)), key=sizes.count)
    by_index = {
        tile.index: tile
        for tile in tiles
        if tile.size_px == usual and tile.predicted == tile.explained_class and not tile.is_empty
    }
    labels = {index: tile.label or "" for index, tile in by_index.items()}
    chosen = select_tiles(labels, count, seed)
    if not chosen:
        raise InputError(
            "the model takes none of the explained tiles for the explained class, so there is no "
            "evidence to test; explain more tiles with --tiles, or leave out --audit"
        )
    skipped: list[SkippedTile] = []
    batches = list(load_batches(source, chosen, batch_size, skipped))
    order = np.concatenate([batch.indices for batch in batches])
    rows = [by_index[index] for index in order.tolist()]
    return AuditTiles(
        torch.cat([torch.from_numpy(batch.pixels) for batch in batches]).to(device),
        np.array([list(classes).index(tile.explained_class) for tile in rows], np.int64),
        [tile.group for tile in rows],
        [tile.label or "" for tile in rows],
        batch_size,
        already_normalized,
    )
