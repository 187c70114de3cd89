"""What is known of slides as a whole: label, group and split, from their folders or a table of slides."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from histocli.data.layouts.class_folders import class_folder_tiles
from histocli.data.layouts.label_table import (
    ALIASES,
    TABLE_NAMES,
    known_columns,
    read_rows,
    rows_to_tiles,
)
from histocli.data.tiles import SPLIT_ALIASES, Tile

SLIDE_COLUMNS = ("slide", "wsi")
Rows = Sequence[Mapping[str, str]]


def label_slides(
    names: Sequence[str], folders: Iterable[Path]
) -> tuple[list[Tile], Path | None, list[str]]:
    """One row a slide, sorted; its group is the slide's name unless a table states another.

    A table may name a slide by its path or its file name, with or without the extension, in a column of
    tiles or in one called slide or wsi. With class folders the folder gives the label.

    Args:
        names: POSIX paths of the slides.
        folders: Where a table may lie.

    Returns:
        The rows, the table that was read, and what is wrong with it.
    """
    files = [folder / name for folder in folders for name in TABLE_NAMES]
    tables = [file for file in files if file.is_file()]
    rows: dict[str, Tile] = {}
    table: Path | None = None
    problems: list[str] = []
    for file in tables:
        rows = _rows_of(file, names)
        if rows:
            table = file
            break
        problems.append(f"{file.name}: it names none of the slides")
    missing = [name for name in names if rows and name not in rows]
    if table is not None and missing:
        problems.append(f"{table.name}: it does not name {len(missing)} slides ({missing[0]} …)")
    slides = class_folder_tiles(names, rows) or _without_folders(names, rows)
    named = [replace(tile, group=tile.group or PurePosixPath(tile.id).stem) for tile in slides]
    return named, table, problems


def _rows_of(table: Path, names: Sequence[str]) -> dict[str, Tile]:
    """Rows of a table by the slide that each names."""
    rows = read_rows(table)
    header = list(rows[0]) if rows else []
    columns = known_columns(header)
    for column in _columns_of_slides(header):
        by_name = {row[column].strip().replace("\\", "/"): row for row in rows}
        found = {name: key for name in names for key in _called(name) if key in by_name}
        if not found:
            continue
        others = {wanted: own for wanted, own in columns.items() if own != column}
        wanted = [by_name[key] for key in dict.fromkeys(found.values())]
        tiles = {tile.id: tile for tile in rows_to_tiles(wanted, {**others, "tile": column}, table)}
        return {name: replace(tiles[key], id=name) for name, key in found.items()}
    return {}


def _columns_of_slides(header: Sequence[str]) -> list[str]:
    lowered = {name.lower().strip(): name for name in header}
    return [lowered[name] for name in (*ALIASES["tile"], *SLIDE_COLUMNS) if name in lowered]


def _called(name: str) -> tuple[str, ...]:
    """What a table may call a slide, the least certain first: the last that is there counts."""
    path = PurePosixPath(name)
    return path.stem, path.name, path.with_suffix("").as_posix(), name


def _without_folders(names: Sequence[str], rows: Mapping[str, Tile]) -> list[Tile]:
    tiles = []
    for name in sorted(names):
        split = SPLIT_ALIASES.get(name.split("/")[0].lower()) if "/" in name else None
        tile = rows.get(name, Tile(id=name))
        tiles.append(replace(tile, split=split or tile.split))
    # Where there are splits, whatever else lies beside them is not data.
    inside = [tile for tile in tiles if tile.id.split("/")[0].lower() in SPLIT_ALIASES]
    return inside or tiles
