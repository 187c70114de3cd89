"""Find tiles that look nearly the same, in any of the eight orientations, among very many.

Two hashes of 64 bits that differ in 7 bits at most differ, in at least one of four bands of 16 bits, in
1 bit at most. So each band is looked up in a table of 65,536 buckets, as it is and with each bit
inverted: 4 x 17 look-ups for each of 8 orientations. No pair within 7 bits is missed, and most of those
within 16 are found too, as a copy moved by 2 pixels of 96 is. Work for n tiles:
544 n (1 + n / 65,536) comparisons of 64 bits, a hundredth of comparing all with all; memory: a few
numbers a tile.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from histocli.qc.perceptual_hash import ORIENTATIONS, Bits, coarse, orientations

Pairs = NDArray[np.int64]

BANDS, BAND_BITS = 4, 16
# What the bands find without missing any: one bit in each of four bands, and three more.
SURE_DISTANCE = 2 * BANDS - 1
# Unrelated tiles differ in 32 of the 63 coarse bits and in 127 of the 255 fine ones, give or take 4 and 8.
LARGEST_DISTANCE, FINE_DISTANCE = 16, 80
STRICT_FINE_DISTANCE = 64
CANDIDATES_AT_ONCE = 2**21


def near_pairs(
    hashes: Bits,
    distance: int = LARGEST_DISTANCE,
    rich: NDArray[np.bool_] | None = None,
) -> Pairs:
    """Pairs of tiles that look nearly the same.

    Args:
        hashes: Of distinct tiles, shape ``(N, 32)``.
        distance: Coarse bits that may differ, 16 at most; the fine bits then must agree, too.
        rich: False for tiles that show little, whose hashes follow from a few specks: they are compared
            more strictly. All show much if not given.

    Returns:
        Shape ``(M, 2)``, the smaller index first, sorted, none twice.
    """
    if not 0 <= distance <= LARGEST_DISTANCE:
        raise ValueError(f"distance {distance} is not 0 to {LARGEST_DISTANCE}")
    own = coarse(hashes)
    much = np.ones(len(hashes), np.bool_) if rich is None else rich
    tables = [_buckets(_band(own, band)) for band in range(BANDS)]
    found = [np.empty((0, 2), np.int64)]
    for orientation in range(ORIENTATIONS):
        turned = _turned(hashes, orientation)
        query = coarse(turned)
        for band, (order, starts) in enumerate(tables):
            for flip in (0, *(1 << bit for bit in range(BAND_BITS))):
                keys = _band(query, band) ^ flip
                for some, asking in _candidates(keys, order, starts):
                    both = much[some] & much[asking]
                    limit = np.where(both, distance, min(distance, SURE_DISTANCE))
                    near = np.bitwise_count(own[some] ^ query[asking]) <= limit
                    first, second = some[near], asking[near]
                    fine = np.bitwise_count(hashes[first] ^ turned[second]).sum(axis=1, dtype=int)
                    agree = fine <= np.where(both[near], FINE_DISTANCE, STRICT_FINE_DISTANCE)
                    found.append(np.stack([first[agree], second[agree]], axis=1))
    return np.unique(np.concatenate(found), axis=0)


def _turned(hashes: Bits, orientation: int) -> Bits:
    # In parts: the eight orientations as single bits would take 2 kB a tile.
    parts = [
        orientations(hashes[start : start + 4096])[:, orientation]
        for start in range(0, len(hashes), 4096)
    ]
    return np.concatenate([hashes[:0], *parts])


def _band(values: NDArray[np.uint64], band: int) -> NDArray[np.int64]:
    mask = np.uint64(2**BAND_BITS - 1)
    return ((values >> np.uint64(BAND_BITS * band)) & mask).astype(np.int64)


def _buckets(keys: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices sorted by key, and where each key's begin."""
    counts = np.bincount(keys, minlength=2**BAND_BITS)
    return np.argsort(keys, kind="stable"), np.concatenate([[0], np.cumsum(counts)])


def _candidates(
    keys: NDArray[np.int64], order: NDArray[np.int64], starts: NDArray[np.int64]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Every tile of each key's bucket with the tile that asks, each pair once: the smaller first."""
    begin, sizes = starts[keys], starts[keys + 1] - starts[keys]
    totals = np.cumsum(sizes)
    start = 0
    while start < len(keys):
        before = totals[start - 1] if start else 0
        stop = int(np.searchsorted(totals, before + CANDIDATES_AT_ONCE, side="right"))
        stop = max(stop, start + 1)
        some = sizes[start:stop]
        second = np.repeat(np.arange(start, stop), some)
        offsets = np.arange(len(second)) - np.repeat(totals[start:stop] - some - before, some)
        first = order[np.repeat(begin[start:stop], some) + offsets]
        keep = first < second
        yield first[keep], second[keep]
        start = stop
