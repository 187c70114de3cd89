"""A zip archive of any layout that is a folder: class folders, splits, a table, Kaggle, plain images."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath

from histocli.data.layouts.archive import Archive
from histocli.data.layouts.class_folders import class_folder_tiles
from histocli.data.layouts.image_files import MEMBER_MARK, ImageFileSource
from histocli.data.layouts.kaggle import LABELS_NAME, kaggle_tiles, read_labels
from histocli.data.layouts.label_table import TABLE_NAMES, known_columns, parse_rows, rows_to_tiles
from histocli.data.tiles import SPLIT_ALIASES, Tile

SUFFIX = ".zip"
ROOT_TABLES = (*TABLE_NAMES, LABELS_NAME)


def open_zip(path: Path) -> ImageFileSource | None:
    """Recognise a zip file; tiles are named ``archive.zip#member``."""
    if not path.is_file() or path.suffix.lower() != SUFFIX:
        return None
    archive = Archive(path)
    images = archive.images()
    prefix = _wrapper(archive, images)
    tiles, problems = _tiles(archive, prefix, [name.removeprefix(prefix) for name in images])
    named = [replace(tile, id=f"{path.name}{MEMBER_MARK}{prefix}{tile.id}") for tile in tiles]
    return ImageFileSource(path, "zip", named, path.parent, {path.name: archive}, problems=problems)


def _tiles(archive: Archive, prefix: str, images: list[str]) -> tuple[list[Tile], list[str]]:
    """Tiles by the first layout that fits, and its problems."""
    if prefix + LABELS_NAME in archive:
        name = PurePosixPath(f"{archive.path}{MEMBER_MARK}{prefix}{LABELS_NAME}")
        labels = read_labels(archive.read(prefix + LABELS_NAME), name)
        tiles, problems = kaggle_tiles(images, labels, name)
        if tiles:
            return tiles, problems
    rows = _rows_of_table(archive, prefix)
    tiles = class_folder_tiles(images, rows) or sorted(rows.values(), key=lambda tile: tile.id)
    return tiles or [Tile(id=name) for name in images], []


def _rows_of_table(archive: Archive, prefix: str) -> Mapping[str, Tile]:
    for table in TABLE_NAMES:
        if prefix + table not in archive:
            continue
        name = PurePosixPath(f"{archive.path}{MEMBER_MARK}{prefix}{table}")
        rows = parse_rows(archive.read(prefix + table), name)
        columns = known_columns(list(rows[0])) if rows else {}
        if "tile" in columns:
            return {tile.id: tile for tile in rows_to_tiles(rows, columns, name)}
    return {}


def _wrapper(archive: Archive, images: list[str]) -> str:
    """The folder around everything, as archives of a folder have: no class, no split."""
    prefix = ""
    while images:
        inside = [name.removeprefix(prefix) for name in images]
        first = inside[0].split("/")[0]
        if first.lower() in SPLIT_ALIASES or not all(n.startswith(f"{first}/") for n in inside):
            break
        # With a table in it, or folders only, it is not the single class of a data set.
        has_table = any(f"{prefix}{first}/{name}" in archive for name in ROOT_TABLES)
        if not has_table and not all(name.count("/") > 1 for name in inside):
            break
        prefix += f"{first}/"
    return prefix
