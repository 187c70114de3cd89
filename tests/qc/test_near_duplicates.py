"""The search among many hashes against comparing all with all."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from histocli.data.layouts import open_source
from histocli.qc import near_duplicates
from histocli.qc.near_duplicates import (
    FINE_DISTANCE,
    LARGEST_DISTANCE,
    STRICT_FINE_DISTANCE,
    SURE_DISTANCE,
    near_pairs,
)
from histocli.qc.perceptual_hash import coarse, orientations, perceptual_hashes

Hashes = NDArray[np.uint8]


def all_with_all(hashes: Hashes, distance: int) -> list[tuple[int, int]]:
    turned = orientations(hashes)
    own = coarse(hashes)
    found = []
    for first in range(len(hashes)):
        for second in range(first + 1, len(hashes)):
            for other in turned[second]:
                bits = int(np.bitwise_count(own[first] ^ coarse(other[None])[0]))
                fine = int(np.bitwise_count(hashes[first] ^ other).sum())
                if bits <= distance and fine <= FINE_DISTANCE:
                    found.append((first, second))
                    break
    return found


def related_hashes(seed: int, count: int) -> Hashes:
    """Random ones, and copies of them with some bits inverted, in any orientation."""
    generator = np.random.default_rng(seed)
    hashes = list(generator.integers(0, 256, (count, 32), np.uint8))
    for _ in range(count):
        copy = hashes[generator.integers(len(hashes))]
        copy = orientations(copy[None])[0, generator.integers(8)].copy()
        for bit in generator.integers(0, 256, generator.integers(0, 60)):
            copy[bit // 8] ^= 1 << (bit % 8)
        hashes.append(copy)
    return np.stack(hashes)


@given(st.integers(0, 10_000), st.integers(0, SURE_DISTANCE))
@settings(max_examples=12, deadline=None)
def test_no_pair_is_missed_and_none_invented(seed: int, distance: int) -> None:
    hashes = related_hashes(seed, 12)
    found = [(int(first), int(second)) for first, second in near_pairs(hashes, distance)]
    assert found == all_with_all(hashes, distance)


@given(st.integers(0, 10_000))
@settings(max_examples=12, deadline=None)
def test_beyond_that_most_are_found_and_none_invented(seed: int) -> None:
    hashes = related_hashes(seed, 12)
    found = {(int(first), int(second)) for first, second in near_pairs(hashes)}
    assert found <= set(all_with_all(hashes, LARGEST_DISTANCE))
    assert found >= set(all_with_all(hashes, SURE_DISTANCE))


def test_copies_moved_by_two_pixels_are_mostly_found(pcam: Path) -> None:
    source = open_source(pcam)
    tiles = np.stack([source.read(place) for place in range(0, len(source.tiles), 90)])
    moved = np.pad(tiles, ((0, 0), (2, 0), (2, 0), (0, 0)), mode="reflect")[:, :96, :96]
    both = np.concatenate([tiles, moved]).transpose(0, 3, 1, 2)
    pairs = near_pairs(perceptual_hashes(np.ascontiguousarray(both)))
    right = pairs[:, 1] - pairs[:, 0] == len(tiles)
    assert right.sum() > 0.7 * len(tiles)
    assert right.all()


def test_tiles_that_show_little_are_compared_more_strictly() -> None:
    first = np.random.default_rng(0).integers(0, 256, 32).astype(np.uint8)
    # The bit of the mean is never set.
    first[0] &= 0x7F
    pairs = {}
    for bits in (STRICT_FINE_DISTANCE, FINE_DISTANCE):
        second = np.unpackbits(first)
        # From the highest frequencies on, which the coarse bits leave out.
        second[-bits:] ^= 1
        hashes = np.stack([first, np.packbits(second)])
        pairs[bits] = [
            len(near_pairs(hashes, rich=np.array(rich)))
            for rich in ([True, True], [True, False], [False, False])
        ]
    assert pairs == {STRICT_FINE_DISTANCE: [1, 1, 1], FINE_DISTANCE: [1, 0, 0]}


def test_chunks_of_candidates_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    hashes = related_hashes(1, 30)
    whole = near_pairs(hashes)
    assert len(whole)
    monkeypatch.setattr(near_duplicates, "CANDIDATES_AT_ONCE", 3)
    np.testing.assert_array_equal(near_pairs(hashes), whole)


def test_unrelated_tiles_are_no_pairs() -> None:
    generator = np.random.default_rng(0)
    assert len(near_pairs(generator.integers(0, 256, (3000, 32), np.uint8))) == 0


def test_few_tiles_and_a_wide_distance() -> None:
    assert near_pairs(np.zeros((0, 32), np.uint8)).shape == (0, 2)
    assert near_pairs(np.zeros((1, 32), np.uint8)).shape == (0, 2)
    with pytest.raises(ValueError, match="0 to 16"):
        near_pairs(np.zeros((2, 32), np.uint8), 17)
