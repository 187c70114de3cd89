"""Compiled loops over the pixels of one tile. They know nothing of stains but where the loops go.

A tile is worked on in blocks that fit the cache; sums are kept per block and histograms are whole numbers,
so no result depends on how blocks are shared out among threads. An 8-bit channel has 256 optical
densities, so the logarithm is a table. Order statistics need no sort: values become 24-bit fixed-point
codes, a histogram of their upper 10 bits finds the bins that hold the wanted ranks, and only the codes in
those bins are sorted.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

BLOCK_PX = 16384
BINS = 1024
BIN_BITS = 14
# Codes of pixels that do not count fall into eight bins more: one bin alone would be a queue.
UNCOUNTED = np.int32(BINS << BIN_BITS)
ALL_BINS = BINS + 8

# What a tissue pixel is: every channel, or any, at or below a grey level; or its luminance is.
ALL_DARK, ANY_DARK, LUMINANCE = 0, 1, 2
# What becomes a code: the angle of tissue pixels in a plane, or both concentrations of all pixels.
ANGLE, CONCENTRATIONS = 0, 1

U8 = NDArray[np.uint8]
I32 = NDArray[np.int32]
I64 = NDArray[np.int64]
F32 = NDArray[np.float32]
F64 = NDArray[np.float64]


class Optics(NamedTuple):
    """How grey levels become optical density and tissue.

    Attributes:
        table: Optical density of each grey level.
        rule: ALL_DARK, ANY_DARK or LUMINANCE.
        limit: The brightest grey level, or the greatest luminance, called dark.
    """

    table: F32
    rule: int
    limit: int


class Axes(NamedTuple):
    """What is made of the pixels of one tile.

    Attributes:
        kind: ANGLE or CONCENTRATIONS.
        rows: The plane, or the rows that give the two concentrations, shape ``(2, 3)``.
        ranges: Least value, and codes per unit, of each concentration, shape ``(2, 2)``.
    """

    kind: int
    rows: F64
    ranges: F64


class Scratch(NamedTuple):
    """One thread's room for one block."""

    density: F32
    tissue: U8
    codes: I32


def can_cache() -> bool:
    """Whether compiled code can be kept for the next process; without a place, numba refuses to try."""
    try:
        njit(cache=True)(can_cache)
    except RuntimeError:
        return False
    return True


CACHE = can_cache()
compiled = njit(nogil=True, fastmath=True, cache=CACHE, error_model="numpy")
# Where a division that is rounded otherwise would end in another whole number.
compiled_strictly = njit(nogil=True, cache=CACHE, error_model="numpy")


@compiled
def new_scratch() -> Scratch:
    """Room for one block."""
    return Scratch(
        np.empty((3, BLOCK_PX), np.float32),
        np.empty(BLOCK_PX, np.uint8),
        np.empty((2, BLOCK_PX), np.int32),
    )


@compiled
def blocks_of(pixels: int) -> int:
    """Blocks of a tile."""
    return (pixels + BLOCK_PX - 1) // BLOCK_PX


@compiled
def load_density(tile: U8, start: int, stop: int, table: F32, density: F32) -> None:
    """Optical density of the pixels from ``start`` to ``stop``."""
    for channel in range(3):
        row = tile[channel, start:stop]
        out = density[channel]
        for i in range(len(row)):
            out[i] = table[row[i]]


@compiled
def load_tissue(
    tile: U8, luminance: I32, start: int, stop: int, optics: Optics, tissue: U8
) -> None:
    """1 where a pixel is tissue.

    Args:
        tile: Grey levels.
        luminance: What each grey level of each channel adds to the luminance, shape ``(3, 256)``; looked
            at by the rule LUMINANCE only.
        start: First pixel.
        stop: First pixel that is not wanted.
        optics: The rule.
        tissue: Filled.
    """
    red, green, blue = tile[0, start:stop], tile[1, start:stop], tile[2, start:stop]
    dark = np.uint8(min(optics.limit, 255))
    if optics.rule == ALL_DARK:
        for i in range(len(red)):
            tissue[i] = max(red[i], green[i], blue[i]) <= dark
    elif optics.rule == ANY_DARK:
        for i in range(len(red)):
            tissue[i] = min(red[i], green[i], blue[i]) <= dark
    else:
        for i in range(len(red)):
            total = luminance[0, red[i]] + luminance[1, green[i]] + luminance[2, blue[i]]
            tissue[i] = total <= optics.limit


@compiled
def add_moments(density: F32, tissue: U8, pixels: int, sums: F64) -> None:
    """Count, sums and products of the tissue's optical density."""
    red, green, blue = density[0], density[1], density[2]
    count = 0
    s0 = s1 = s2 = s00 = s01 = s02 = s11 = s12 = s22 = 0.0
    for i in range(pixels):
        counts = np.float64(tissue[i])
        r = np.float64(red[i]) * counts
        g = np.float64(green[i]) * counts
        b = np.float64(blue[i]) * counts
        count += tissue[i]
        s0 += r
        s1 += g
        s2 += b
        s00 += r * r
        s01 += r * g
        s02 += r * b
        s11 += g * g
        s12 += g * b
        s22 += b * b
    totals = (np.float64(count), s0, s1, s2, s00, s01, s02, s11, s12, s22)
    for i in range(10):
        sums[i] = totals[i]


@compiled
def code_angles(density: F32, tissue: U8, pixels: int, plane: F64, codes: I32) -> None:
    """Codes of a number from -2 to 2 that grows with the angle and needs no arc tangent."""
    red, green, blue = density[0], density[1], density[2]
    a0, a1, a2 = np.float32(plane[0, 0]), np.float32(plane[0, 1]), np.float32(plane[0, 2])
    b0, b1, b2 = np.float32(plane[1, 0]), np.float32(plane[1, 1]), np.float32(plane[1, 2])
    two, tiny, scale = np.float32(2), np.float32(1e-30), np.float32(2**22)
    for i in range(pixels):
        x = a0 * red[i] + a1 * green[i] + a2 * blue[i]
        y = b0 * red[i] + b1 * green[i] + b2 * blue[i]
        slope = y / (abs(x) + abs(y) + tiny)
        behind = two - slope if y >= 0 else -two - slope
        turn = slope if x >= 0 else behind
        code = min(np.int32((turn + two) * scale), UNCOUNTED - np.int32(1))
        codes[i] = code if tissue[i] else UNCOUNTED + ((i & 7) << BIN_BITS)


@compiled
def code_concentrations(
    density: F32, pixels: int, row: F64, low: float, scale: float, codes: I32
) -> None:
    """Codes of ``row @ density``."""
    red, green, blue = density[0], density[1], density[2]
    a0, a1, a2 = np.float32(row[0]), np.float32(row[1]), np.float32(row[2])
    base, factor = np.float32(low), np.float32(scale)
    for i in range(pixels):
        value = (a0 * red[i] + a1 * green[i] + a2 * blue[i] - base) * factor
        codes[i] = min(max(np.int32(value), np.int32(0)), UNCOUNTED - np.int32(1))


@compiled
def make_codes(
    tile: U8, luminance: I32, block: int, optics: Optics, axes: Axes, scratch: Scratch
) -> int:
    """Fill the codes of one block; the number of its pixels."""
    start = block * BLOCK_PX
    stop = min(start + BLOCK_PX, tile.shape[1])
    pixels = stop - start
    load_density(tile, start, stop, optics.table, scratch.density)
    if axes.kind == ANGLE:
        load_tissue(tile, luminance, start, stop, optics, scratch.tissue)
        code_angles(scratch.density, scratch.tissue, pixels, axes.rows, scratch.codes[0])
    else:
        for stream in range(2):
            low, scale = axes.ranges[stream]
            row = axes.rows[stream]
            code_concentrations(scratch.density, pixels, row, low, scale, scratch.codes[stream])
    return pixels


@compiled
def count_codes(
    tile: U8,
    luminance: I32,
    first: int,
    last: int,
    optics: Optics,
    axes: Axes,
    scratch: Scratch,
    histogram: I64,
) -> None:
    """Add the codes of some blocks to a histogram ``(streams, ALL_BINS)`` of their upper bits."""
    for block in range(first, last):
        pixels = make_codes(tile, luminance, block, optics, axes, scratch)
        for stream in range(histogram.shape[0]):
            row, counts = scratch.codes[stream], histogram[stream]
            for i in range(pixels):
                # Unsigned: a signed index would be tested for being negative.
                counts[np.uint32(row[i]) >> np.uint32(BIN_BITS)] += 1


@compiled
def find_ranges(histogram: I64, ranks: I64, edges: I32, before: I64) -> int:
    """The range of codes that holds each pair of neighboring ranks of one stream.

    Nothing lies between two neighboring ranks, so a range holds the codes of their two bins only.

    Args:
        histogram: Shape ``(ALL_BINS,)``.
        ranks: Ascending pairs, shape ``(levels, 2)``.
        edges: Filled: first and last code of each range, shape ``(levels, 2)``; ranges that meet are one.
        before: Filled: codes below a range that lie in no range, shape ``(levels,)``.

    Returns:
        How many codes lie in the ranges.
    """
    below = wanted = 0
    edges[:, 0] = 0
    edges[:, 1] = -1
    before[:] = 0
    found = 0
    flat = ranks.reshape(-1)
    for b in range(BINS):
        upto = below + histogram[b]
        inside = False
        while found < len(flat) and flat[found] < upto:
            level = found // 2
            if found % 2 == 0:
                edges[level, 0] = b << BIN_BITS
                before[level] = below - wanted
            edges[level, 1] = ((b + 1) << BIN_BITS) - 1
            inside = True
            found += 1
        if inside:
            wanted += histogram[b]
        below = upto
    for level in range(1, len(edges)):
        if edges[level, 0] <= edges[level - 1, 1] and edges[level, 1] >= 0:
            edges[level - 1, 1] = max(edges[level - 1, 1], edges[level, 1])
            before[level] = before[level - 1]
            edges[level, 0], edges[level, 1] = 0, -1
    return wanted


@compiled
def collect_codes(codes: I32, pixels: int, edges: I32, found: I32, count: int) -> int:
    """Append the codes that lie in one or two ranges to ``found``; the new count.

    They are few: whole stretches of codes are passed over after one vector test.
    """
    last = len(edges) - 1
    a, b = edges[0, 0], edges[0, 1]
    c, d = edges[last, 0], edges[last, 1]
    stretch = 64
    for start in range(0, pixels, stretch):
        part = codes[start : min(start + stretch, pixels)]
        hits = 0
        for i in range(len(part)):
            hits += ((part[i] >= a) & (part[i] <= b)) | ((part[i] >= c) & (part[i] <= d))
        if hits:
            for i in range(len(part)):
                if (a <= part[i] <= b) or (c <= part[i] <= d):
                    found[count] = part[i]
                    count += 1
    return count


@compiled
def apply_matrix(
    density: F32, tissue: U8, pixels: int, matrix: F64, light: float, out: U8, start: int
) -> int:
    """Grey levels of ``light * exp(-matrix @ density)``; how many tissue pixels left the range.

    The exponential is the eighth power of a polynomial, good to 0.01 grey levels.
    """
    red, green, blue = density[0], density[1], density[2]
    eighth = -0.125
    full = np.float32(light)
    # Optical densities, times -1/8, at which the light rounds to more than 255 and to less than 1.
    bright = np.float32(np.log(255.5 / light) * 0.125)
    dim = np.float32(np.log(0.5 / light) * 0.125)
    lost = np.zeros(BLOCK_PX, np.uint8)
    for channel in range(3):
        a0 = np.float32(matrix[channel, 0] * eighth)
        a1 = np.float32(matrix[channel, 1] * eighth)
        a2 = np.float32(matrix[channel, 2] * eighth)
        row = out[channel, start : start + pixels]
        for i in range(len(row)):
            x = a0 * red[i] + a1 * green[i] + a2 * blue[i]
            lost[i] |= (x > bright) | (x < dim)
            x = min(max(x, np.float32(-1)), np.float32(0.01))
            p = np.float32(1 / 120) * x + np.float32(1 / 24)
            p = p * x + np.float32(1 / 6)
            p = p * x + np.float32(0.5)
            p = p * x + np.float32(1)
            p = p * x + np.float32(1)
            p = p * p
            p = p * p
            p = p * p
            row[i] = np.uint8(np.int32(min(full * p, np.float32(255)) + np.float32(0.5)))
    count = 0
    for i in range(pixels):
        count += lost[i] & tissue[i]
    return count
