"""Tiles that are the same, or nearly so, and what follows from it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from histocli.data.tiles import Tile
from histocli.qc.near_duplicates import LARGEST_DISTANCE, near_pairs
from histocli.qc.perceptual_hash import Bits

# Which of several copies is kept: a tile of a test set is the last to be given up.
KEPT_FIRST = {"test": 0, "valid": 1, "train": 2, None: 3}


@dataclass(frozen=True)
class DuplicateSets:
    """Sets of tiles that are the same, or nearly so.

    Attributes:
        sets: Ids of each set of identical tiles; the first is kept.
        near_sets: Ids of each set of tiles that look nearly the same, identical ones among them; the
            first is kept.
        leaks: Sets whose tiles lie in more than one split: kind, tiles, splits.
        contradictory_label_sets: Sets of identical tiles with more than one label.
        near_contradictions: Sets of nearly identical tiles with more than one label.
        kept: Of each tile that repeats another, the one that is kept in its stead.
    """

    sets: Sequence[Sequence[str]] = ()
    near_sets: Sequence[Sequence[str]] = ()
    leaks: Sequence[Mapping[str, Any]] = ()
    contradictory_label_sets: Sequence[Sequence[str]] = ()
    near_contradictions: int = 0
    kept: Mapping[str, str] = field(default_factory=dict)

    @property
    def repeated(self) -> set[str]:
        """Ids of all but the first of each set of identical tiles."""
        return {tile for identical in self.sets for tile in identical[1:]}

    @property
    def near_repeated(self) -> set[str]:
        """Ids of all but the first of each set of nearly identical tiles, without identical copies."""
        return {tile for near in self.near_sets for tile in near[1:]} - self.repeated

    @property
    def contradicted(self) -> set[str]:
        """Ids of the tiles whose label is not to be trusted."""
        return {tile for identical in self.contradictory_label_sets for tile in identical}


def find_duplicates(
    tiles: Sequence[Tile],
    digests: Mapping[int, bytes],
    hashes: Bits | None = None,
    comparable: Sequence[int] = (),
    *,
    distance: int = LARGEST_DISTANCE,
    rich: NDArray[np.bool_] | None = None,
) -> DuplicateSets:
    """Group tiles by what they show.

    Args:
        tiles: The table.
        digests: Of the pixels, by place in the table; those that could not be read are absent.
        hashes: What each tile looks like, shape ``(N, 32)``.
        comparable: Places of the tiles that show enough for their look to say something.
        distance: Coarse bits of the hashes that may differ.
        rich: Of each tile, whether it shows much; those that show little are compared more strictly.
    """
    identical = _identical(tiles, digests)
    near = [] if hashes is None else _near(tiles, hashes, comparable, identical, distance, rich)
    leaks = [_leak(tiles, places, "identical") for places in identical]
    # A set that leaks by its identical tiles alone would be told twice.
    leaks += [_leak(tiles, places, "near") for places in near]
    contradictory = [places for places in identical if len(_labels(tiles, places)) > 1]
    return DuplicateSets(
        sets=[_ids(tiles, places) for places in identical],
        near_sets=[_ids(tiles, places) for places in near],
        leaks=[leak for leak in leaks if len(leak["splits"]) > 1],
        contradictory_label_sets=[_ids(tiles, places) for places in contradictory],
        near_contradictions=sum(len(_labels(tiles, places)) > 1 for places in near),
        kept={
            tiles[other].id: tiles[places[0]].id
            for places in (*identical, *near)
            for other in places[1:]
        },
    )


def _identical(tiles: Sequence[Tile], digests: Mapping[int, bytes]) -> list[list[int]]:
    by_digest: dict[bytes, list[int]] = {}
    for place, digest in digests.items():
        by_digest.setdefault(digest, []).append(place)
    found = [_in_order(tiles, places) for places in by_digest.values() if len(places) > 1]
    return sorted(found, key=lambda places: tiles[places[0]].id)


def _near(
    tiles: Sequence[Tile],
    hashes: Bits,
    comparable: Sequence[int],
    identical: Sequence[Sequence[int]],
    distance: int,
    rich: NDArray[np.bool_] | None,
) -> list[list[int]]:
    """Connected sets; of identical tiles, and of those that hash alike, one stands for all."""
    copies = {places[0]: places for places in identical}
    others = {other for places in identical for other in places[1:]}
    singles = np.array([place for place in comparable if place not in others], np.int64)
    if len(singles) < 2:
        return []
    distinct, first, which = np.unique(
        hashes[singles], axis=0, return_index=True, return_inverse=True
    )
    which = which.reshape(-1)
    pairs = near_pairs(distinct, distance, None if rich is None else rich[singles[first]])
    links = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(len(distinct),) * 2)
    count, component = connected_components(links, directed=False)
    label = component[which]
    sizes = np.bincount(label, minlength=count)
    order = np.argsort(label, kind="stable")
    ends = np.cumsum(sizes)
    found = []
    for number in np.flatnonzero(sizes > 1):
        members = singles[order[ends[number] - sizes[number] : ends[number]]].tolist()
        found.append(_in_order(tiles, [p for m in members for p in copies.get(m, [m])]))
    return sorted(found, key=lambda places: tiles[places[0]].id)


def _in_order(tiles: Sequence[Tile], places: Sequence[int]) -> list[int]:
    return sorted(places, key=lambda place: (KEPT_FIRST[tiles[place].split], tiles[place].id))


def _leak(tiles: Sequence[Tile], places: Sequence[int], kind: str) -> dict[str, Any]:
    splits = {tiles[place].split for place in places} - {None}
    return {"kind": kind, "tiles": _ids(tiles, places), "splits": sorted(map(str, splits))}


def _labels(tiles: Sequence[Tile], places: Sequence[int]) -> set[str | None]:
    return {tiles[place].label for place in places} - {None}


def _ids(tiles: Sequence[Tile], places: Sequence[int]) -> list[str]:
    return [tiles[place].id for place in places]
