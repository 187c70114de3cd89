from collections import Counter

import pytest

from histocli.data.splitting import groups_across_splits, split_tiles
from histocli.data.tiles import Split, Tile
from histocli.errors import InputError


def made(groups: int, per_group: int, split: Split | None = None) -> list[Tile]:
    return [
        Tile(f"{label}/{g}_{i}.png", label, f"{label}{g}", split)
        for label in ("normal", "tumor")
        for g in range(groups)
        for i in range(per_group)
    ]


def test_no_group_is_torn_and_every_class_is_everywhere() -> None:
    tiles = split_tiles(made(21, 5), seed=3)
    assert groups_across_splits(tiles) == {}
    counts = Counter((tile.split, tile.label) for tile in tiles)
    assert set(counts) == {(s, c) for s in ("train", "valid", "test") for c in ("normal", "tumor")}
    assert counts["test", "tumor"] == 15


def test_the_same_seed_divides_the_same_way() -> None:
    tiles = made(20, 3)
    assert split_tiles(tiles, 1) == split_tiles(tiles, 1)
    assert split_tiles(tiles, 1) != split_tiles(tiles, 2)


def test_stated_splits_are_kept() -> None:
    tiles = [*made(8, 2, "train"), Tile("t.png", "tumor", "x", "test")]
    divided = split_tiles(tiles, 0)
    assert divided[-1].split == "test"
    assert Counter(tile.split for tile in divided)["test"] == 1
    assert Counter(tile.split for tile in divided)["valid"] > 0
    complete = [*made(1, 2, "train"), *made(1, 2, "valid")]
    assert split_tiles(complete, 0) == complete


def test_too_few_groups_are_refused_with_advice() -> None:
    with pytest.raises(InputError, match="state the splits"):
        split_tiles(made(3, 50), 0)


def test_a_group_in_two_splits_is_a_leak() -> None:
    tiles = [Tile("a", "t", "g", "train"), Tile("b", "t", "g", "test"), Tile("c", "t", "h", "test")]
    assert groups_across_splits(tiles) == {"g": ["test", "train"]}
