"""Read ``labels.csv``, ``manifest.csv`` or a parquet file: tile, label, group, split."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from histocli.data.tiles import SPLIT_ALIASES, Split, Tile
from histocli.errors import InputError

TABLE_NAMES = ("labels.csv", "manifest.csv", "labels.parquet", "manifest.parquet")
# Column names in the order of preference, for each thing that we look for.
ALIASES: Mapping[str, Sequence[str]] = {
    "tile": ("tile", "path", "file", "id"),
    "label": ("label", "class_name", "class"),
    "group": ("group", "patient", "slide", "wsi", "case", "source_image_group"),
    "split": ("split", "suggested_split"),
}


def find_table(folder: Path) -> Path | None:
    """The first table at the root of ``folder`` that names tiles."""
    for name in TABLE_NAMES:
        path = folder / name
        if path.is_file() and table_columns(path).get("tile"):
            return path
    return None


def table_columns(path: Path) -> dict[str, str]:
    """Which column of a table holds the tile, label, group and split."""
    header = _header(path)
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
    columns = table_columns(path)
    if "tile" not in columns:
        raise InputError(f"{path}: no tile column; name one of {', '.join(ALIASES['tile'])}")
    tiles: dict[str, Tile] = {}
    for number, row in enumerate(read_rows(path), start=2):
        tile = _row_to_tile(row, columns, f"{path}: line {number}")
        if tile.id in tiles:
            raise InputError(f"{path}: line {number}: {tile.id} is named a second time")
        tiles[tile.id] = tile
    return list(tiles.values())


def read_rows(path: Path) -> list[dict[str, str]]:
    """Rows of a CSV or parquet table, every cell as text."""
    if path.suffix == ".parquet":
        return [{k: "" if v is None else str(v) for k, v in row.items()} for row in _parquet(path)]
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            return [
                {key: value or "" for key, value in row.items() if key is not None}
                for row in csv.DictReader(file)
            ]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot read the table: {error}") from error


def _header(path: Path) -> list[str]:
    if path.suffix == ".parquet":
        return list((_parquet(path) or [{}])[0])
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            return next(csv.reader(file), [])
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot read the table: {error}") from error


def _parquet(path: Path) -> list[dict[str, object]]:
    try:
        import pyarrow.parquet as pq  # only for those who bring parquet files
    except ImportError:
        raise InputError(f"{path}: reading parquet needs `pip install pyarrow`") from None
    try:
        rows: list[dict[str, object]] = pq.read_table(path).to_pylist()
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot read the table: {error}") from error
    return rows


def _row_to_tile(row: Mapping[str, str], columns: Mapping[str, str], where: str) -> Tile:
    values = {wanted: row.get(column, "").strip() for wanted, column in columns.items()}
    name = PurePosixPath(values["tile"].replace("\\", "/"))
    if not values["tile"] or name.is_absolute() or ".." in name.parts:
        raise InputError(
            f"{where}: the tile {values['tile']!r} must be a path inside the table's folder"
        )
    return Tile(
        id=name.as_posix(),
        label=values.get("label") or None,
        group=values.get("group") or None,
        split=_split(values.get("split", ""), where),
        extra={key: value for key, value in row.items() if key not in columns.values()},
    )


def _split(value: str, where: str) -> Split | None:
    if not value:
        return None
    if value.lower() not in SPLIT_ALIASES:
        raise InputError(f"{where}: the split {value!r} is none of train, valid, test")
    return SPLIT_ALIASES[value.lower()]
