"""A table of the tiles that passed, which every command takes for a data set; no tile is touched."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from histocli.atomic_files import write_csv
from histocli.data.layouts.image_files import ImageFileSource
from histocli.data.tiles import Tile, TileSource
from histocli.data.verdicts import read_verdicts
from histocli.errors import SettingsError

SUFFIX = "-passed.csv"


def check_manifest(source: TileSource) -> None:
    """Whether a manifest can name the tiles of a source.

    Raises:
        SettingsError: If not, saying what to do in its stead.
    """
    if not isinstance(source, ImageFileSource):
        raise SettingsError(
            f"--apply: a manifest names image files, and {source.root} ({source.layout}) holds its tiles "
            "in files of many; leave out --apply and use histo train --qc"
        )


def write_passed(source: TileSource, table: Path, path: Path) -> int:
    """Write a manifest: ``tile, label, group, split`` and what else the source's own table says.

    Args:
        source: What was checked.
        table: ``qc.csv``.
        path: The manifest, in the folder that holds the source.

    Returns:
        How many tiles passed.

    Raises:
        SettingsError: If a manifest cannot name such tiles.
    """
    check_manifest(source)
    verdicts = read_verdicts(table)
    kept = [tile for tile in source.tiles if not verdicts[tile.id].reasons]
    extra = sorted({name for tile in kept for name in tile.extra})
    # The tiles of a folder are named from inside it, those of an archive or a table from beside it.
    prefix = f"{source.root.resolve().name}/" if source.root.is_dir() else ""
    header = ["tile", "label", "group", "split", *extra]
    write_csv(path, header, _rows(kept, prefix, extra))
    return len(kept)


def _rows(tiles: Sequence[Tile], prefix: str, extra: Sequence[str]) -> Iterator[list[object]]:
    for tile in tiles:
        values = [tile.extra.get(name) for name in extra]
        yield [prefix + tile.id, tile.label, tile.group, tile.split, *values]
