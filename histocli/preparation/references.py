"""What tiles are normalised to: one reference for all, or one that the table names for each."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from histocli.data.images import read_image
from histocli.data.tiles import Tile, TileSource
from histocli.errors import InputError, UnreadableTileError
from histocli.stain.normalizers import Normalizer, Reference

# The column of a table of tiles that names a reference, relative to the table's folder.
REFERENCE_COLUMN = "stain_reference"


def read_reference(path: Path, normalizer: Normalizer) -> Reference:
    """Read a saved reference, or fit an image.

    Raises:
        InputError: If the file cannot be used.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such reference image or JSON")
    if path.suffix.lower() == ".json":
        reference: Reference = normalizer.load_reference(path)
    else:
        try:
            image = np.ascontiguousarray(read_image(path).transpose(2, 0, 1))
            reference = normalizer.fit(image, path.name).reference
        except ValueError as error:
            raise InputError(f"{path}: {error}") from error
        except UnreadableTileError as error:
            raise InputError(str(error)) from error
    published = type(normalizer)().reference
    if reference.name == published.name and reference != published:
        return replace(reference, name=path.name)
    return reference


def references_by_tile(source: TileSource, normalizer: Normalizer) -> Mapping[str, Reference]:
    """The reference of each tile whose row names one, by tile id.

    Raises:
        InputError: If one of them cannot be used.
    """
    folder = source.root if source.root.is_dir() else source.root.parent
    named = {tile.id: tile.extra.get(REFERENCE_COLUMN, "").strip() for tile in source.tiles}
    read = {
        name: read_reference(folder / name, normalizer)
        for name in sorted(set(named.values()) - {""})
    }
    return {tile: read[name] for tile, name in named.items() if name}


def references_of(
    normalizer: Normalizer, by_tile: Mapping[str, Reference]
) -> Callable[[Sequence[Tile]], Sequence[Reference] | None]:
    """What gives the references of a batch; None where the normaliser's own serves all."""

    def of(tiles: Sequence[Tile]) -> Sequence[Reference] | None:
        if not any(tile.id in by_tile for tile in tiles):
            return None
        return [by_tile.get(tile.id, normalizer.reference) for tile in tiles]

    return of
