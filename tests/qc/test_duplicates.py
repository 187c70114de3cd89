"""Sets of identical tiles."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from histocli.data.tiles import Tile
from histocli.qc.duplicates import find_duplicates, pixel_digest


def test_digest_is_of_pixels_and_shape() -> None:
    tile = np.arange(3 * 4 * 6, dtype=np.uint8).reshape(3, 4, 6)
    assert pixel_digest(tile) == pixel_digest(tile.copy())
    assert pixel_digest(tile) == pixel_digest(np.asfortranarray(tile))
    assert pixel_digest(tile) != pixel_digest(tile.reshape(3, 6, 4))
    changed = tile.copy()
    changed[2, 3, 5] += 1
    assert pixel_digest(tile) != pixel_digest(changed)


def test_the_first_by_id_is_kept() -> None:
    tiles = [Tile("c.png"), Tile("a.png"), Tile("b.png"), Tile("d.png")]
    found = find_duplicates(tiles, {"a.png": "1", "b.png": "1", "c.png": "1", "d.png": "2"})
    assert found.sets == [["a.png", "b.png", "c.png"]]
    assert found.repeated == {"b.png", "c.png"}


def test_identical_tiles_in_two_splits_leak() -> None:
    tiles = [
        Tile("test/a.png", split="test"),
        Tile("train/a.png", split="train"),
        Tile("train/b.png", split="train"),
        Tile("train/c.png", split="train"),
    ]
    digests = {tile.id: "same" if "a" in tile.id.split("/")[1] else "twin" for tile in tiles}
    found = find_duplicates(tiles, digests)
    assert len(found.sets) == 2
    assert found.leaks == [{"tiles": ["test/a.png", "train/a.png"], "splits": ["test", "train"]}]


def test_identical_tiles_with_two_labels_contradict() -> None:
    tiles = [Tile("a", label="tumor"), Tile("b", label="normal"), Tile("c", label=None)]
    found = find_duplicates(tiles, dict.fromkeys("abc", "1"))
    assert found.contradictory_label_sets == [["a", "b", "c"]]
    same = find_duplicates([Tile("a", label="tumor"), Tile("b")], dict.fromkeys("ab", "1"))
    assert same.contradictory_label_sets == []


def test_unreadable_tiles_have_no_digest_and_no_twin() -> None:
    assert find_duplicates([Tile("a"), Tile("b")], {"a": "1"}).sets == []


@given(st.lists(st.integers(0, 5), max_size=30))
def test_one_of_each_kind_remains(kinds: list[int]) -> None:
    tiles = [Tile(f"{number:02d}") for number in range(len(kinds))]
    digests = {tile.id: str(kind) for tile, kind in zip(tiles, kinds, strict=True)}
    found = find_duplicates(tiles, digests)
    kept = [digests[tile.id] for tile in tiles if tile.id not in found.repeated]
    assert sorted(kept) == sorted({str(kind) for kind in kinds})
