"""A table that names the tiles: CSV or parquet with tile, label, group and split."""

from pathlib import Path

from histocli.data.layouts.image_files import ImageFileSource
from histocli.data.layouts.label_table import find_table, read_table

TABLE_SUFFIXES = (".csv", ".parquet")


def open_manifest(path: Path) -> ImageFileSource | None:
    """Recognise a table, or a folder with one at its root."""
    if path.is_file() and path.suffix.lower() in TABLE_SUFFIXES:
        table: Path | None = path
    else:
        table = find_table(path) if path.is_dir() else None
    if table is None:
        return None
    tiles = sorted(read_table(table), key=lambda tile: tile.id)
    return ImageFileSource(path, "manifest", tiles, table.parent)
