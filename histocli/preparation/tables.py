"""The tables beside normalised tiles: the manifest, and the user's own table with its paths rewritten."""

import math
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from histocli.atomic_files import atomic_path, write_csv, write_csv_rows
from histocli.data.layouts.huggingface import holds_images
from histocli.data.layouts.label_table import TABLE_SUFFIXES, find_table, read_rows, table_columns
from histocli.data.normalized import normalized_name
from histocli.data.tiles import Tile, TileSource
from histocli.stain.context import EstimateSource

STAIN_COLUMNS = tuple(
    f"{stain}_{channel}"
    for channel in ("red", "green", "blue")
    for stain in ("hematoxylin", "eosin")
)
ROWS_AT_ONCE = 4096
MANIFEST_COLUMNS = (
    "tile",
    "source",
    "label",
    "group",
    "split",
    "status",
    "estimate",
    "tissue_fraction",
    *STAIN_COLUMNS,
    "hematoxylin_maximum",
    "eosin_maximum",
)


def write_manifest(
    output: Path,
    tiles: Iterable[Tile],
    entries: Iterable[Mapping[str, Any]],
    names: Iterable[str],
) -> None:
    """Write ``manifest.csv``: what became of each tile; a stain that is unknown is an empty cell.

    Args:
        output: The folder.
        tiles: Those that were written.
        entries: What the journal says of each.
        names: What each is called in the output.
    """
    rows = _manifest_rows(tiles, entries, names)
    with (
        atomic_path(output / "manifest.csv") as temporary,
        temporary.open("w", encoding="utf-8", newline="") as file,
    ):
        write_csv_rows(file, [MANIFEST_COLUMNS])
        while some := list(islice(rows, ROWS_AT_ONCE)):
            write_csv_rows(file, some)


def _manifest_rows(
    tiles: Iterable[Tile], entries: Iterable[Mapping[str, Any]], names: Iterable[str]
) -> Iterator[list[object]]:
    for tile, entry, name in zip(tiles, entries, names, strict=True):
        matrix = [value for row in entry["stain_matrix"] for value in row]
        numbers = [None if math.isnan(v) else v for v in [*matrix, *entry["maxima"]]]
        if entry["estimate"] == EstimateSource.IDENTITY.label:
            numbers = [None] * len(numbers)
        yield [
            name,
            tile.id,
            tile.label,
            tile.group,
            tile.split,
            entry["status"],
            entry["estimate"],
            entry["tissue_fraction"],
            *numbers,
        ]


def write_label_table(source: TileSource, output: Path, written: Collection[str]) -> None:
    """Copy the user's table, if there is one, without the tiles that could not be read."""
    table = source.root if source.root.is_file() else find_table(source.root)
    if table is None or table.suffix.lower() not in TABLE_SUFFIXES or holds_images(table):
        return
    column = table_columns(table)["tile"]
    rows = [row for row in read_rows(table) if row[column].replace("\\", "/") in written]
    if not rows:
        return
    header = list(rows[0])
    copied = [
        [normalized_name(value) if name == column else value for name, value in row.items()]
        for row in rows
    ]
    write_csv(output / "labels.csv", header, copied)
