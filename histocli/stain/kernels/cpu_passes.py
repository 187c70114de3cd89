"""Compiled loops over the pixels of one tile. They know nothing of stains but where the loops go.

A tile is worked on in blocks that fit the cache; sums are kept per block and counts are whole numbers, so
no result depends on how blocks are shared out among threads. Order statistics need no sort: values
become 24-bit fixed-point codes, a sample tells in what range of codes the wanted ranks should lie, and one
pass counts the codes below that range and keeps those inside, among which the ranks are then found. If
the sample misled, a histogram of all codes gives the range. Either way the result is exact.
"""

import functools
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, cast

import numpy as np
from numba import njit
from numpy.typing import NDArray

BLOCK_PX = 16384
BINS = 1024
BIN_BITS = 14
# Codes of pixels that do not count fall into eight bins more: one bin alone would be a queue.
UNCOUNTED = np.int32(BINS << BIN_BITS)
ALL_BINS = BINS + 8
# Half the width of a range, in standard errors of the sample: one sample in 400 misleads.
SPREAD = 3.0
# log(1 + m) / m for m from 0 to 1, as a polynomial that is good to 3e-7.
LOG_SERIES = tuple(
    np.polynomial.Chebyshev.interpolate(lambda m: np.log1p(m) / m, 7, [0, 1])
    .convert(kind=np.polynomial.Polynomial)
    .coef.astype(np.float32)
)
# Bins added up together when one is sought.
GROUP = 32

Function = TypeVar("Function", bound=Callable[..., Any])

# What a tissue pixel is: every channel, or any, at or below a grey level; or its luminance is.
ALL_DARK, ANY_DARK, LUMINANCE = 0, 1, 2
# What becomes a code: the angle of tissue pixels in a plane, or both concentrations of all pixels.
ANGLE, CONCENTRATIONS = 0, 1

# Optical density below which a pixel's projection on the plane is rounding, see ``pixels.py``.
LEAST_PROJECTION = 1e-4

U8 = NDArray[np.uint8]
I32 = NDArray[np.int32]
I64 = NDArray[np.int64]
U64 = NDArray[np.uint64]
F32 = NDArray[np.float32]
F64 = NDArray[np.float64]


class Optics(NamedTuple):
    """How grey levels become optical density and tissue.

    Attributes:
        table: Optical density of each grey level.
        rule: ALL_DARK, ANY_DARK or LUMINANCE.
        limit: The brightest grey level, or the greatest luminance, called dark.
        darkest: Of the convention, like the next two.
        brightest: See ``Convention``.
        offset: See ``Convention``.
        log_light: Logarithm of the transmitted light.
    """

    table: F32
    rule: int
    limit: int
    darkest: np.float32
    brightest: np.float32
    offset: np.float32
    log_light: np.float32


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
    """One thread's room for one block; ``words`` are ``flags``, eight at a time."""

    density: F32
    tissue: U8
    codes: I32
    flags: U8
    words: U64


def can_cache() -> bool:
    """Whether compiled code can be kept for the next process; without a place, numba refuses to try."""
    try:
        njit(cache=True)(can_cache)
    except RuntimeError:
        return False
    return True


CACHE = can_cache()


@functools.cache
def sources_of_kernels() -> str:
    """A hash of all files of compiled loops."""
    files = sorted(Path(__file__).parent.glob("cpu*.py"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def _stamped(function: Any) -> Any:
    # numba keeps compiled code until the function's own file changes, but a function holds those that it
    # calls, of other files too.
    if CACHE:
        function._cache._cache_file._source_stamp = sources_of_kernels()  # noqa: SLF001
    return function


def compiled(function: Function) -> Function:
    """Compile on the first call."""
    made = njit(nogil=True, fastmath=True, cache=CACHE, error_model="numpy")(function)
    return cast("Function", _stamped(made))


def compiled_strictly(function: Function) -> Function:
    """The same where a division that is rounded otherwise would end in another whole number."""
    made = njit(nogil=True, cache=CACHE, error_model="numpy")(function)
    return cast("Function", _stamped(made))


@compiled
def new_scratch() -> Scratch:
    """Room for one block."""
    flags = np.zeros(BLOCK_PX + 8, np.uint8)
    return Scratch(
        np.empty((3, BLOCK_PX), np.float32),
        np.empty(BLOCK_PX, np.uint8),
        # Eight more: flags are looked at by words.
        np.empty((2, BLOCK_PX + 8), np.int32),
        flags,
        flags.view(np.uint64),
    )


@compiled
def blocks_of(pixels: int) -> int:
    """Blocks of a tile."""
    return (pixels + BLOCK_PX - 1) // BLOCK_PX


@compiled
def look_up_density(tile: U8, start: int, stop: int, optics: Optics, density: F32) -> None:
    """Optical density of the pixels from ``start`` to ``stop``, exact to a float."""
    for channel in range(3):
        row = tile[channel, start:stop]
        out = density[channel]
        for i in range(len(row)):
            out[i] = optics.table[row[i]]


@compiled
def compute_density(tile: U8, start: int, stop: int, optics: Optics, density: F32) -> None:
    """The same but for 3e-7, in half the time: a logarithm can be computed in vectors, a look-up cannot.

    The logarithm is the exponent's share and a polynomial of the mantissa.
    """
    one, log_of_two = np.float32(1), np.float32(np.log(2))
    c0, c1, c2, c3, c4, c5, c6, c7 = LOG_SERIES
    for channel in range(3):
        row = tile[channel, start:stop]
        out = density[channel]
        for i in range(len(row)):
            held = min(max(np.float32(row[i]), optics.darkest), optics.brightest) + optics.offset
            bits = np.float32(held).view(np.int32)
            power = np.float32((bits >> np.int32(23)) - np.int32(127))
            mantissa = np.int32((bits & np.int32(0x7FFFFF)) | np.int32(0x3F800000))
            m = mantissa.view(np.float32) - one
            p = c7 * m + c6
            p = p * m + c5
            p = p * m + c4
            p = p * m + c3
            p = p * m + c2
            p = p * m + c1
            p = p * m + c0
            out[i] = optics.log_light - (power * log_of_two + p * m)


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
    zero, least = np.float32(0), np.float32(LEAST_PROJECTION)
    for i in range(pixels):
        x = a0 * red[i] + a1 * green[i] + a2 * blue[i]
        y = b0 * red[i] + b1 * green[i] + b2 * blue[i]
        size = abs(x) + abs(y)
        # The angle of a rounding error is none.
        x, y = (x, y) if size >= least else (zero, zero)
        slope = y / (size + tiny)
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
    compute_density(tile, start, stop, optics, scratch.density)
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
def count_codes(codes: I32, pixels: int, stride: int, histogram: I64) -> None:
    """Add every ``stride``-th code to the histogram ``(streams, ALL_BINS)`` of the codes' upper bits."""
    for stream in range(len(histogram)):
        row, counts = codes[stream], histogram[stream]
        for i in range(0, pixels, stride):
            # Unsigned: a signed index would be tested for being negative.
            counts[np.uint32(row[i]) >> np.uint32(BIN_BITS)] += 1


@compiled
def bin_of(counts: I64, rank: float) -> int:
    """The bin that holds a rank; -1 below the first, BINS beyond the last."""
    if rank < 0:
        return -1
    below = 0
    for group in range(0, BINS, GROUP):
        inside = 0
        for b in range(group, group + GROUP):
            inside += counts[b]
        if rank < below + inside:
            for b in range(group, group + GROUP):
                below += counts[b]
                if rank < below:
                    return b
        below += inside
    return BINS


@compiled
def find_brackets(histogram: I64, wanted: I64, sampled: bool, brackets: I32) -> None:
    """Ranges of codes that hold the wanted ranks: for certain, or, by a sample, very probably.

    Args:
        histogram: Of the sample, or of all; shape ``(streams, ALL_BINS)``.
        wanted: Of each target two neighboring ranks, and how many codes the whole tile has, shape
            ``(2, 3)``. Two targets share one stream or have one each.
        sampled: Whether the histogram is of a sample.
        brackets: Filled: first and last code of each target's range.
    """
    for target in range(len(wanted)):
        counts = histogram[min(target, len(histogram) - 1)]
        first, last = float(wanted[target, 0]), float(wanted[target, 1])
        if sampled:
            counted = counts[:BINS].sum()
            share = first / max(wanted[target, 2] - 1, 1)
            spread = SPREAD * np.sqrt(counted * share * (1 - share)) + 2
            first = share * (counted - 1) - spread
            last = share * (counted - 1) + spread
        low, high = bin_of(counts, first), bin_of(counts, last)
        brackets[target, 0] = max(low, 0) << BIN_BITS
        brackets[target, 1] = (min(high + 1, BINS) << BIN_BITS) - 1


@compiled
def scan_codes(
    codes: I32, pixels: int, bracket: I32, scratch: Scratch, found: I32, count: int
) -> tuple[int, int]:
    """Append the codes inside a bracket to ``found``; their new number, and how many lie below.

    Those inside are few: eight flags at a time tell whether there is anything to append.
    """
    low, high = bracket[0], bracket[1]
    flags, words = scratch.flags, scratch.words
    below = 0
    for i in range(pixels):
        below += codes[i] < low
    for i in range(pixels):
        flags[i] = (codes[i] >= low) & (codes[i] <= high)
    flags[pixels : pixels + 8] = 0
    for word in range((pixels + 7) // 8):
        if words[word]:
            for i in range(8 * word, 8 * word + 8):
                found[count] = codes[i]
                count += flags[i]
    return count, below


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
