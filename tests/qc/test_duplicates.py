"""Sets of identical tiles."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from histocli.data.pixel_digest import pixel_digest
from histocli.data.tiles import Tile
from histocli.qc.duplicates import find_duplicates


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
    found = find_duplicates(tiles, {0: b"1", 1: b"1", 2: b"1", 3: b"2"})
    assert found.sets == [["a.png", "b.png", "c.png"]]
    assert found.repeated == {"b.png", "c.png"}
    assert found.kept == {"b.png": "a.png", "c.png": "a.png"}


def test_a_tile_of_the_test_split_is_the_last_to_be_given_up() -> None:
    tiles = [Tile("a", split="train"), Tile("b", split="valid"), Tile("c", split="test")]
    found = find_duplicates(tiles, dict.fromkeys(range(3), b"1"))
    assert found.sets == [["c", "b", "a"]]


def test_identical_tiles_in_two_splits_leak() -> None:
    tiles = [
        Tile("test/a.png", split="test"),
        Tile("train/a.png", split="train"),
        Tile("train/b.png", split="train"),
        Tile("train/c.png", split="train"),
    ]
    found = find_duplicates(tiles, {0: b"same", 1: b"same", 2: b"twin", 3: b"twin"})
    assert len(found.sets) == 2
    assert found.leaks == [
        {"kind": "identical", "tiles": ["test/a.png", "train/a.png"], "splits": ["test", "train"]}
    ]


def test_identical_tiles_with_two_labels_contradict() -> None:
    tiles = [Tile("a", label="tumor"), Tile("b", label="normal"), Tile("c", label=None)]
    found = find_duplicates(tiles, dict.fromkeys(range(3), b"1"))
    assert found.contradictory_label_sets == [["a", "b", "c"]]
    same = find_duplicates([Tile("a", label="tumor"), Tile("b")], {0: b"1", 1: b"1"})
    assert same.contradictory_label_sets == []


def test_unreadable_tiles_have_no_digest_and_no_twin() -> None:
    assert find_duplicates([Tile("a"), Tile("b")], {0: b"1"}).sets == []


@given(st.lists(st.integers(0, 5), max_size=30))
def test_one_of_each_kind_remains(kinds: list[int]) -> None:
    tiles = [Tile(f"{number:02d}") for number in range(len(kinds))]
    found = find_duplicates(tiles, {place: bytes([kind]) for place, kind in enumerate(kinds)})
    kept = [kind for tile, kind in zip(tiles, kinds, strict=True) if tile.id not in found.repeated]
    assert sorted(kept) == sorted(set(kinds))


def test_near_duplicates_are_told_from_identical_ones_and_leak_too() -> None:
    tiles = [
        Tile("test/a.png", split="test", label="tumor"),
        Tile("train/a.png", split="train", label="tumor"),
        Tile("train/b.png", split="train", label="normal"),
        Tile("train/c.png", split="train"),
        Tile("train/glass.png", split="train"),
    ]
    generator = np.random.default_rng(0)
    look, other = generator.integers(0, 256, (2, 32), np.uint8)
    almost = look.copy()
    almost[0] ^= 1
    hashes = np.stack([look, look, almost, other, look])
    digests = {0: b"1", 1: b"1", 2: b"2", 3: b"3", 4: b"4"}
    found = find_duplicates(tiles, digests, hashes, comparable=range(4))
    assert found.sets == [["test/a.png", "train/a.png"]]
    assert found.near_sets == [["test/a.png", "train/a.png", "train/b.png"]]
    assert found.repeated == {"train/a.png"}
    assert found.near_repeated == {"train/b.png"}
    assert [leak["kind"] for leak in found.leaks] == ["identical", "near"]
    assert found.near_contradictions == 1
    assert found.kept == {"train/a.png": "test/a.png", "train/b.png": "test/a.png"}
