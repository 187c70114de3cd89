"""A table that names the tiles: CSV or parquet with tile, label, group and split."""

from pathlib import Path

from histocli.data.layouts.archive import Archive
from histocli.data.layouts.huggingface import holds_images
from histocli.data.layouts.image_files import MEMBER_MARK, ImageFileSource
from histocli.data.layouts.label_table import TABLE_SUFFIXES, find_table, read_table


def open_manifest(path: Path) -> ImageFileSource | None:
    """Recognise a table, or a folder with one at its root; tiles may lie in zip archives beside it."""
    if path.is_file() and path.suffix.lower() in TABLE_SUFFIXES and not holds_images(path):
        table: Path | None = path
    else:
        table = find_table(path) if path.is_dir() else None
    if table is None:
        return None
    tiles = sorted(read_table(table), key=lambda tile: tile.id)
    containers = {tile.id.partition(MEMBER_MARK)[0] for tile in tiles if MEMBER_MARK in tile.id}
    archives = {
        name: Archive(table.parent / name)
        for name in sorted(containers)
        if name.lower().endswith(".zip") and (table.parent / name).is_file()
    }
    return ImageFileSource(path, "manifest", tiles, table.parent, archives, [table])
