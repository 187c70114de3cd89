"""Stains of whole groups and of the data set, found before a tile is normalised by them."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from histocli import __version__
from histocli.atomic_files import parse_json, write_json
from histocli.data.loading import load_batches
from histocli.data.shared_output import SharedOutput
from histocli.data.tiles import Tile, TileSource
from histocli.errors import InputError
from histocli.stain.context import EstimateSource
from histocli.stain.normalizers import Normalizer, Reference

CONTEXT_NAME = "stain_context.json"
PREPARED_NAME = ".stain_context.json"


@dataclass(frozen=True)
class StainContext:
    """The typical stain of a data set and of each of its groups.

    Attributes:
        dataset: The median over all tiles with a usable estimate.
        groups: The median over each group's; a group without a usable tile has none.
        estimated: Tiles with a usable estimate.
        key: What it was found from and how, see ``context_key``.
    """

    dataset: Reference
    groups: Mapping[str, Reference]
    estimated: int
    key: str = ""

    def of(self, tiles: Sequence[Tile]) -> Mapping[EstimateSource, Sequence[Reference | None]]:
        """What can stand in for the tiles' own estimates."""
        return {
            EstimateSource.GROUP: [self.groups.get(tile.group or "") for tile in tiles],
            EstimateSource.DATASET: [self.dataset] * len(tiles),
        }

    def save(self, path: Path) -> None:
        """Write the stains as JSON."""
        write_json(path, asdict(self))

    @classmethod
    def load(cls, path: Path, normalizer: Normalizer, key: str) -> "StainContext | None":
        """Read what ``save`` wrote; None if it is not there, or was found from something else."""
        kind = type(normalizer.reference)

        def reference(values: Mapping[str, Any]) -> Reference:
            found: Reference = kind(**{name: _as_tuples(value) for name, value in values.items()})
            return found

        try:
            saved = parse_json(path.read_text())
            if saved["key"] != key:
                return None
            groups = {name: reference(values) for name, values in saved["groups"].items()}
            return cls(reference(saved["dataset"]), groups, saved["estimated"], key)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None


def context_key(sha256: str, normalizer: Normalizer, device: str) -> str:
    """A hash of what the stains of a data set depend on: its tiles, and how they are estimated."""
    how = (type(normalizer).__name__, normalizer.convention, normalizer.backend, normalizer.guards)
    return hashlib.sha256(repr((__version__, sha256, how, device)).encode()).hexdigest()


def shared_context(
    source: TileSource,
    shared: SharedOutput,
    normalizer: Normalizer,
    key: str,
    *,
    batch_size: int,
    workers: int | None,
    place: Callable[[Any], Any],
    begin: Callable[[str, int], Callable[[int], None]],
) -> StainContext:
    """The stains of a data set: found by the first part that comes, and kept for the others.

    Args:
        source: All tiles.
        shared: The output, in which it is kept.
        normalizer: Estimates the tiles.
        key: See ``context_key``.
        batch_size: Tiles per batch.
        workers: Decoding threads.
        place: Puts a NumPy batch where the normaliser works.
        begin: Called with the stage and its number of tiles.

    Raises:
        InputError: If no tile has a usable stain.
    """
    # Hidden until it is known that the folder may be written: it may hold another one, of another run.
    path = shared.output / PREPARED_NAME
    with shared.alone():
        saved = StainContext.load(path, normalizer, key)
        if saved is None:
            saved = StainContext.load(shared.output / CONTEXT_NAME, normalizer, key)
        if saved is None:
            saved = find_context(
                source,
                normalizer,
                batch_size=batch_size,
                workers=workers,
                place=place,
                progress=begin("estimating stains", len(source.tiles)),
                key=key,
            )
            saved.save(path)
    return saved


def drop_prepared(output: Path) -> None:
    """Remove the hidden copy once the stains stand beside the tiles."""
    (output / PREPARED_NAME).unlink(missing_ok=True)


def find_context(
    source: TileSource,
    normalizer: Normalizer,
    *,
    batch_size: int,
    workers: int | None = None,
    place: Callable[[Any], Any] = np.asarray,
    progress: Callable[[int], None] | None = None,
    key: str = "",
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
    usable = {name: stain for name, stain in groups.items() if stain is not None}
    return StainContext(dataset, usable, len(known), key)


def _as_tuples(value: Any) -> Any:
    return tuple(_as_tuples(item) for item in value) if isinstance(value, list) else value
