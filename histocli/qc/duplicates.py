"""Tiles that are the same, pixel by pixel, and what follows from it."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from histocli.data.tiles import Tile


@dataclass(frozen=True)
class DuplicateSets:
    """Sets of identical tiles.

    Attributes:
        sets: Ids of each set, sorted; the first is kept.
        leaks: Those whose tiles lie in more than one split, with the splits.
        contradictory_label_sets: Those whose tiles have more than one label.
    """

    sets: Sequence[Sequence[str]]
    leaks: Sequence[Mapping[str, Sequence[str]]]
    contradictory_label_sets: Sequence[Sequence[str]]

    @property
    def repeated(self) -> set[str]:
        """Ids of all but the first of each set."""
        return {tile for identical in self.sets for tile in identical[1:]}


def pixel_digest(pixels: NDArray[np.uint8]) -> str:
    """SHA-256 of a tile's decoded pixels, ``(3, H, W)``, and its shape: the same for PNG and TIFF."""
    content = hashlib.sha256(repr(pixels.shape).encode())
    content.update(np.ascontiguousarray(pixels).data)
    return content.hexdigest()


def find_duplicates(tiles: Sequence[Tile], digests: Mapping[str, str]) -> DuplicateSets:
    """Group tiles by their digest.

    Args:
        tiles: The table.
        digests: By tile id; those that could not be read are absent.
    """
    by_digest: dict[str, list[Tile]] = {}
    for tile in sorted(tiles, key=lambda tile: tile.id):
        if tile.id in digests:
            by_digest.setdefault(digests[tile.id], []).append(tile)
    found = [identical for identical in by_digest.values() if len(identical) > 1]
    leaks = [
        {"tiles": _ids(identical), "splits": splits}
        for identical in found
        if len(splits := _distinct([tile.split for tile in identical])) > 1
    ]
    contradictory = [
        _ids(identical)
        for identical in found
        if len(_distinct([tile.label for tile in identical])) > 1
    ]
    return DuplicateSets([_ids(identical) for identical in found], leaks, contradictory)


def _ids(tiles: Sequence[Tile]) -> list[str]:
    return [tile.id for tile in tiles]


def _distinct(values: Sequence[str | None]) -> list[str]:
    return sorted({value for value in values if value is not None})
