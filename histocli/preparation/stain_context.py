"""Stains of whole groups and of the data set, found before a tile is normalised by them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from histocli.atomic_files import write_json
from histocli.data.loading import load_batches
from histocli.data.tiles import Tile, TileSource
from histocli.errors import InputError
from histocli.stain.context import EstimateSource
from histocli.stain.normalizers import Normalizer, Reference


@dataclass(frozen=True)
class StainContext:
    """The typical stain of a data set and of each of its groups.

    Attributes:
        dataset: The median over all tiles with a usable estimate.
        groups: The median over each group's; a group without a usable tile has none.
        estimated: Tiles with a usable estimate.
    """

    dataset: Reference
    groups: Mapping[str, Reference]
    estimated: int

    def of(self, tiles: Sequence[Tile]) -> Mapping[EstimateSource, Sequence[Reference | None]]:
        """What can stand in for the tiles' own estimates."""
        return {
            EstimateSource.GROUP: [self.groups.get(tile.group or "") for tile in tiles],
            EstimateSource.DATASET: [self.dataset] * len(tiles),
        }

    def save(self, path: Path) -> None:
        """Write the stains as JSON."""
        write_json(path, asdict(self))


def find_context(
    source: TileSource,
    normalizer: Normalizer,
    *,
    batch_size: int,
    workers: int | None = None,
    place: Callable[[Any], Any] = np.asarray,
    progress: Callable[[int], None] | None = None,
) -> StainContext:
    """Estimate every tile of a source and take medians.

    Raises:
        InputError: If no tile has a usable stain.
    """
    count = len(source.tiles)
    rows: dict[int, Any] = {}
    for batch in load_batches(source, range(count), batch_size, [], workers=workers):
        found = normalizer.parameters(place(batch.pixels))
        rows.update(zip(batch.indices.tolist(), found, strict=True))
        if progress is not None:
            progress(len(batch.indices))
    known = {index: row for index, row in sorted(rows.items()) if np.isfinite(row).all()}
    members: dict[str, list[int]] = {}
    for index in known:
        group = source.tiles[index].group
        if group is not None:
            members.setdefault(group, []).append(index)

    def typical(indices: Iterable[int], name: str) -> Reference | None:
        found: Reference | None = normalizer.typical(np.array([known[i] for i in indices]), name)
        return found

    dataset = typical(known, source.root.name) if known else None
    if dataset is None:
        raise InputError(f"{source.root}: not one of its {count} tiles holds a usable stain")
    groups = {name: typical(indices, name) for name, indices in sorted(members.items())}
    return StainContext(
        dataset, {name: stain for name, stain in groups.items() if stain is not None}, len(known)
    )
