"""Do the tiles that a run is judged on, or their patients, occur in its other splits?"""

from collections.abc import Callable, Mapping, Sequence

from histocli.data.loading import load_batches
from histocli.data.pixel_digest import pixel_digest
from histocli.data.tiles import TileSource
from histocli.plurals import counted
from histocli.training.recorded_splits import RecordedTile

Advance = Callable[[int], None]


def shared_groups(
    recorded: Sequence[RecordedTile], groups: Sequence[str | None], split: str
) -> list[str]:
    """A warning if patients or slides of a split occur in another split of the run.

    Args:
        recorded: What the run learned from.
        groups: Of the tiles that it is judged on.
        split: Where they belong.
    """
    judged = {group for group in groups if group}
    found: dict[str, set[str]] = {}
    for tile in recorded:
        if tile.group in judged and tile.split not in ("", split):
            found.setdefault(tile.split, set()).add(tile.group)
    return [
        f"{len(shared)} of the {len(judged)} groups of {split} are in {other} too "
        f"({min(shared)}): the scores will be too good"
        for other, shared in sorted(found.items())
    ]


def shared_tiles(
    digests: Mapping[bytes, str], others: Mapping[str, Mapping[bytes, str]], split: str
) -> list[str]:
    """A warning for each other split that holds the same pixels.

    Args:
        digests: Of the judged tiles, with their ids.
        others: The same of other splits, by name.
        split: Of the judged tiles.
    """
    warnings = []
    for other, seen in others.items():
        both = digests.keys() & seen.keys()
        if both:
            warnings.append(
                f"{counted(len(both), 'tile')} of {split} with a twin in {other}, pixel by pixel "
                "(histo qc names them): the scores will be too good"
            )
    return warnings


def digests_of(
    source: TileSource, indices: Sequence[int], advance: Advance, workers: int | None
) -> dict[bytes, str]:
    """The id of a tile by the hash of its pixels; tiles that cannot be read are left out."""
    found: dict[bytes, str] = {}
    for batch in load_batches(source, indices, 64, [], workers=workers):
        for index, pixels in zip(batch.indices.tolist(), batch.pixels, strict=True):
            found.setdefault(pixel_digest(pixels), source.tiles[index].id)
        advance(len(batch.indices))
    return found
