"""Real copies, turned and mirrored by their publisher: split at random they leak, by group not."""

from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from histocli.data.layouts import open_source
from histocli.data.pixel_digest import pixel_digest
from histocli.data.tiles import Split, Tile
from histocli.qc.data_set_warnings import data_set_warnings
from histocli.qc.duplicates import DuplicateSets, find_duplicates
from histocli.qc.perceptual_hash import perceptual_hashes

GROUPS = 80


@pytest.fixture(scope="module")
def copies(lc25000: Path) -> tuple[list[Tile], dict[int, bytes], np.ndarray]:
    """Tiles of groups that have several, without their splits; digests and hashes."""
    source = open_source(lc25000)
    by_group = defaultdict(list)
    for place, tile in enumerate(source.tiles):
        by_group[tile.group].append(place)
    several = [places for places in by_group.values() if len(places) > 1][:GROUPS]
    chosen = [place for places in several for place in places]
    pixels = np.stack([source.read(place) for place in chosen]).transpose(0, 3, 1, 2)
    digests = {place: pixel_digest(tile) for place, tile in enumerate(pixels)}
    tiles = [replace(source.tiles[place], split=None) for place in chosen]
    return tiles, digests, perceptual_hashes(np.ascontiguousarray(pixels))


def found_in(
    copies: tuple[list[Tile], dict[int, bytes], np.ndarray], splits: list[Split]
) -> DuplicateSets:
    tiles, digests, hashes = copies
    divided = [replace(tile, split=split) for tile, split in zip(tiles, splits, strict=True)]
    return find_duplicates(divided, digests, hashes, range(len(divided)))


@pytest.mark.parametrize("seed", range(3))
def test_a_split_at_random_raises_the_alarm(
    copies: tuple[list[Tile], dict[int, bytes], np.ndarray], seed: int
) -> None:
    drawn = np.random.default_rng(seed).choice(["train", "test"], len(copies[0])).tolist()
    found = found_in(copies, drawn)
    assert found.leaks
    assert data_set_warnings({}, found, {}, [])[0].startswith("leak: ")


@pytest.mark.parametrize("seed", range(3))
def test_a_split_by_group_does_not(
    copies: tuple[list[Tile], dict[int, bytes], np.ndarray], seed: int
) -> None:
    groups = [tile.group for tile in copies[0]]
    names = sorted(set(map(str, groups)))
    drawn = np.random.default_rng(seed).choice(["train", "test"], len(names)).tolist()
    split = dict(zip(names, drawn, strict=True))
    found = found_in(copies, [split[str(group)] for group in groups])
    assert not found.leaks
    assert found.near_sets
