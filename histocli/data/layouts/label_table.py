"""Read ``labels.csv``, ``manifest.csv`` or a parquet file: tile, label, group, split."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath, PurePosixPath
from typing import Any

from histocli.data.layouts.parquet_rows import damage_named
from histocli.data.tiles import SPLIT_ALIASES, Split, Tile
from histocli.errors import InputError

TABLE_SUFFIXES = (".csv", ".parquet")
TABLE_NAMES = ("labels.csv", "manifest.csv", "labels.parquet", "manifest.parquet")
# Column names in the order of preference, for each thing that we look for.
ALIASES: Mapping[str, Sequence[str]] = {
    "tile": ("tile", "path", "file", "id"),
    "label": ("label", "class_name", "class"),
    "group": ("group", "patient", "slide", "wsi", "case", "source_image_group"),
    "split": ("split", "suggested_split"),
}
Row = Mapping[str, str]


def find_table(folder: Path) -> Path | None:
    """The first table at the root of ``folder`` that names tiles."""
    for name in TABLE_NAMES:
        path = folder / name
        if path.is_file() and table_columns(path).get("tile"):
            return path
    return None


def table_columns(path: Path) -> dict[str, str]:
    """Which column of a table holds the tile, label, group and split."""
    return known_columns(_header(path))


def known_columns(header: Sequence[str]) -> dict[str, str]:
    """Which of the columns hold the tile, label, group and split."""
    lowered = {name.lower().strip(): name for name in header}
    return {
        wanted: lowered[alias]
        for wanted, aliases in ALIASES.items()
        for alias in reversed(aliases)
        if alias in lowered
    }


def read_table(path: Path) -> list[Tile]:
    """Rows of a table as tiles, in the order of the table.

    Raises:
        InputError: On a missing column, an unknown split, an absolute or climbing path, a tile named twice.
    """
    return rows_to_tiles(read_rows(path), table_columns(path), path)


def read_rows(path: Path) -> list[dict[str, str]]:
    """Rows of a CSV or parquet table, every cell as text."""
    return parse_rows(_content(path), path)


def parse_rows(content: bytes, name: PurePath) -> list[dict[str, str]]:
    """Rows of a table whose bytes are at hand; ``name`` tells the format and names it in errors."""
    if name.suffix.lower() == ".parquet":
        with damage_named(name):
            rows = _parquet(io.BytesIO(content), name).read().to_pylist()
        return [{k: "" if v is None else str(v) for k, v in row.items()} for row in rows]
    try:
        reader = csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""))
        return [
            {key: value or "" for key, value in row.items() if key is not None} for row in reader
        ]
    except (UnicodeDecodeError, csv.Error) as error:
        raise _unreadable(name, error) from error


def rows_to_tiles(rows: Sequence[Row], columns: Mapping[str, str], name: PurePath) -> list[Tile]:
    """Rows as tiles, in the order of the table; see ``read_table``."""
    if "tile" not in columns:
        raise InputError(f"{name}: no tile column; name one of {', '.join(ALIASES['tile'])}")
    tiles: dict[str, Tile] = {}
    for number, row in enumerate(rows, start=2):
        tile = _row_to_tile(row, columns, f"{name}: line {number}")
        if tile.id in tiles:
            raise InputError(f"{name}: line {number}: {tile.id} is named a second time")
        tiles[tile.id] = tile
    return list(tiles.values())


def to_split(value: str, where: str) -> Split | None:
    """A split by any of its names; None if it is not stated.

    Raises:
        InputError: If it is none.
    """
    if not value:
        return None
    if value.lower() not in SPLIT_ALIASES:
        raise InputError(f"{where}: the split {value!r} is none of train, valid, test")
    return SPLIT_ALIASES[value.lower()]


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from error


def _header(path: Path) -> list[str]:
    if path.suffix.lower() == ".parquet":
        return list(_parquet(path, path).schema_arrow.names)
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            return next(csv.reader(file), [])
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise _unreadable(path, error) from error


def _parquet(source: Any, name: PurePath) -> Any:
    import pyarrow.parquet as pq  # only for those who bring parquet files

    try:
        return pq.ParquetFile(source)
    except (OSError, ValueError) as error:
        raise _unreadable(name, error) from error


def _unreadable(name: PurePath, error: Exception) -> InputError:
    advice = "save it as UTF-8" if isinstance(error, UnicodeDecodeError) else "write it again"
    return InputError(f"{name}: cannot read the table ({error}); {advice}")


def _row_to_tile(row: Row, columns: Mapping[str, str], where: str) -> Tile:
    values = {wanted: row.get(column, "").strip() for wanted, column in columns.items()}
    name = PurePosixPath(values["tile"].replace("\\", "/"))
    outside = name.is_absolute() or ".." in name.parts
    if not values["tile"] or outside or "\0" in values["tile"]:
        raise InputError(
            f"{where}: the tile {values['tile']!r} must be a path inside the table's folder"
        )
    return Tile(
        id=name.as_posix(),
        label=values.get("label") or None,
        group=values.get("group") or None,
        split=to_split(values.get("split", ""), where),
        extra={key: value for key, value in row.items() if key not in columns.values()},
    )
