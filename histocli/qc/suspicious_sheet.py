"""A sheet of the tiles whose labels a model doubts most."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from histocli.data.tiles import TileSource
from histocli.errors import UnreadableTileError
from histocli.qc.contact_sheet import RejectedTile, write_contact_sheet


def write_suspicious_sheet(
    path: Path, source: TileSource, doubted: Sequence[Mapping[str, Any]]
) -> Path | None:
    """Draw doubted tiles, those of one label and one suspicion together, the worst first.

    Args:
        path: Of the PNG; one of an earlier evaluation is removed.
        source: Holds the tiles.
        doubted: ``tile``, ``label``, ``suspected`` and ``probability_of_label`` of each.

    Returns:
        ``path``, or None where no tile is doubted.
    """
    path.unlink(missing_ok=True)
    places = {tile.id: place for place, tile in enumerate(source.tiles)}
    blocks: dict[str, list[RejectedTile]] = {}
    pixels = {}
    for each in doubted:
        heading = f"labeled {each['label']}, looks like {each['suspected']}"
        place = places[each["tile"]]
        caption = f"p({each['label']}) {each['probability_of_label']:.3f}"
        blocks.setdefault(heading, []).append(RejectedTile(place, each["tile"], heading, caption))
        try:
            pixels[place] = source.read(place)
        except UnreadableTileError:
            continue
    if not blocks:
        return None
    write_contact_sheet(path, blocks, {name: len(tiles) for name, tiles in blocks.items()}, pixels)
    return path
