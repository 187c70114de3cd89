"""Folders named after classes, with or without train, valid and test above them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from histocli.data.layouts.image_files import ImageFileSource, find_images
from histocli.data.layouts.label_table import find_table, read_table
from histocli.data.tiles import SPLIT_ALIASES, Tile


def open_class_folders(path: Path) -> ImageFileSource | None:
    """Recognise class folders; a table beside them adds group, split and the other columns."""
    if not path.is_dir():
        return None
    split_folders = [
        child for child in sorted(path.iterdir()) if child.is_dir() and _split_of(child.name)
    ]
    # Where there are splits, whatever else lies beside them (train-normalized, runs) is not data.
    names = [
        f"{folder.name}/{name}" for folder in split_folders for name in find_images(folder)
    ] or list(find_images(path))
    table, rows = _rows_of_table(path)
    tiles = class_folder_tiles(names, rows)
    if tiles is None:
        return None
    tables = [] if table is None else [table]
    return ImageFileSource(path, "class-folders", tiles, path, tables=tables)


def class_folder_tiles(names: Sequence[str], rows: Mapping[str, Tile]) -> list[Tile] | None:
    """Tiles of images in class folders, sorted; None if the folders are not classes.

    Args:
        names: POSIX paths of the images.
        rows: What a table beside them says, by the same paths.
    """
    inside_splits = [name for name in names if "/" in name and _split_of(name.split("/")[0])]
    in_folders = [_tile_of(name) for name in inside_splits or names]
    tiles = [_joined(tile, rows.get(tile.id)) for tile in in_folders]
    if not any(tile.label for tile in in_folders) or _is_a_manifest(tiles, rows):
        return None
    return sorted(tiles, key=lambda tile: tile.id)


def _split_of(name: str) -> str | None:
    return SPLIT_ALIASES.get(name.lower())


def _tile_of(name: str) -> Tile:
    first, *rest = name.split("/")
    split = SPLIT_ALIASES.get(first.lower()) if rest else None
    folders = rest if split else [first, *rest]
    return Tile(id=name, label=folders[0] if len(folders) > 1 else None, split=split)


def _joined(tile: Tile, row: Tile | None) -> Tile:
    if row is None:
        return tile
    label = row.label if tile.label is None else tile.label
    extra = dict(row.extra)
    if row.label is not None and row.label != label:
        extra["label_in_table"] = row.label
    return replace(tile, label=label, group=row.group, split=tile.split or row.split, extra=extra)


def _rows_of_table(folder: Path) -> tuple[Path | None, dict[str, Tile]]:
    """Table and rows by tile id; a split's folder finds its part of the table one folder up."""
    table = find_table(folder)
    if table is not None:
        return table, {row.id: row for row in read_table(table)}
    if _split_of(folder.name) and (table := find_table(folder.parent)):
        prefix = f"{folder.name}/"
        return table, {
            row.id.removeprefix(prefix): replace(row, id=row.id.removeprefix(prefix))
            for row in read_table(table)
            if row.id.startswith(prefix)
        }
    return None, {}


def _is_a_manifest(tiles: Sequence[Tile], rows: Mapping[str, Tile]) -> bool:
    """A table whose labels are not the folders' names means that the folders are not classes."""
    labelled = [tile for tile in tiles if tile.id in rows and rows[tile.id].label]
    others = ("class_name", "class", "label")
    return any(
        tile.label not in {rows[tile.id].label, *(rows[tile.id].extra.get(name) for name in others)}
        for tile in labelled
    )
