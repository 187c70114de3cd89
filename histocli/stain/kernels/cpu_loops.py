"""Compiled loops over tiles and blocks: what one thread does without the interpreter's lock."""

import numpy as np

from histocli.stain.kernels.cpu_passes import (
    ALL_BINS,
    ANGLE,
    BLOCK_PX,
    F64,
    I32,
    I64,
    U8,
    Axes,
    Optics,
    Scratch,
    add_moments,
    apply_matrix,
    blocks_of,
    compiled,
    compiled_strictly,
    compute_density,
    count_codes,
    find_brackets,
    load_tissue,
    look_up_density,
    make_codes,
    new_scratch,
    scan_codes,
)


@compiled
def moments_of_units(
    tiles: U8, luminance: I32, first: int, last: int, optics: Optics, sums: F64
) -> None:
    """Moments ``(N * blocks, 10)`` of the blocks from ``first`` to ``last`` of all tiles."""
    scratch = new_scratch()
    blocks = blocks_of(tiles.shape[2])
    for unit in range(first, last):
        tile = unit // blocks
        start = (unit % blocks) * BLOCK_PX
        stop = min(start + BLOCK_PX, tiles.shape[2])
        look_up_density(tiles[tile], start, stop, optics, scratch.density)
        load_tissue(tiles[tile], luminance[tile], start, stop, optics, scratch.tissue)
        add_moments(scratch.density, scratch.tissue, stop - start, sums[unit])


@compiled
def stride_of(pixels: int) -> int:
    """One pixel of so many is a sample: the more pixels, the fewer of them have to be looked at.

    Odd, so that it walks through the columns of a tile.
    """
    return int(np.sqrt(pixels)) // 16 | 1


@compiled
def brackets_of(
    tile: U8,
    luminance: I32,
    stride: int,
    optics: Optics,
    axes: Axes,
    wanted: I64,
    scratch: Scratch,
    brackets: I32,
) -> None:
    """``find_brackets`` from every ``stride``-th pixel; leaves the codes of a tile of one block."""
    histogram = np.zeros((1 if axes.kind == ANGLE else 2, ALL_BINS), np.int64)
    sample, step = tile, stride
    if blocks_of(tile.shape[1]) > 1 and stride > 1:
        step = 1
        sample = np.empty((3, (tile.shape[1] + stride - 1) // stride), np.uint8)
        for channel in range(3):
            row, picked = tile[channel], sample[channel]
            for i in range(len(picked)):
                picked[i] = row[i * stride]
    for block in range(blocks_of(sample.shape[1])):
        pixels = make_codes(sample, luminance, block, optics, axes, scratch)
        count_codes(scratch.codes, pixels, step, histogram)
    find_brackets(histogram, wanted, stride > 1, brackets)


@compiled
def scan_blocks(
    tile: U8,
    luminance: I32,
    first: int,
    last: int,
    optics: Optics,
    axes: Axes,
    brackets: I32,
    scratch: Scratch,
    found: I32,
    tally: I64,
) -> None:
    """``scan_codes`` of some blocks of a tile, for both targets.

    Args:
        tile: Grey levels.
        luminance: See ``load_tissue``.
        first: First block.
        last: First block that is not wanted.
        optics: Table and rule.
        axes: What becomes a code.
        brackets: Of each target.
        scratch: Room; holds the codes of a tile of one block.
        found: Filled: codes inside, shape ``(2, at least pixels + 8)``.
        tally: Filled: of each target how many lie inside, and how many below, shape ``(2, 2)``.
    """
    tally[:] = 0
    pixels = tile.shape[1]
    alone = blocks_of(pixels) == 1
    for block in range(first, last):
        if not alone:
            pixels = make_codes(tile, luminance, block, optics, axes, scratch)
        for target in range(2):
            codes = scratch.codes[0 if axes.kind == ANGLE else target]
            tally[target, 0], below = scan_codes(
                codes, pixels, brackets[target], scratch, found[target], tally[target, 0]
            )
            tally[target, 1] += below


@compiled
def pick_ranks(found: I32, wanted: I64, below: int, chosen: I32) -> bool:
    """The codes of two neighboring ranks; False if the codes found do not hold them.

    Args:
        found: Codes inside a bracket.
        wanted: The ranks, and how many codes there are; none have no ranks, and leave 0.
        below: How many codes lie below the bracket.
        chosen: Filled.
    """
    chosen[:] = 0
    if wanted[2] == 0:
        return True
    first, last = wanted[0] - below, wanted[1] - below
    if first < 0 or last >= len(found):
        return False
    part_at(found, first)
    chosen[0] = chosen[1] = found[first]
    if last > first:
        chosen[1] = found[last:].min()
    return True


@compiled
def part_at(values: I32, place: int) -> None:
    """Bring the value of rank ``place`` to its place, smaller ones before it, greater ones behind it."""
    low, high = 0, len(values) - 1
    while low < high:
        pivot = values[(low + high) // 2]
        left, right = low, high
        while left <= right:
            while values[left] < pivot:
                left += 1
            while values[right] > pivot:
                right -= 1
            if left <= right:
                values[left], values[right] = values[right], values[left]
                left += 1
                right -= 1
        if place <= right:
            high = right
        elif place >= left:
            low = left
        else:
            return


@compiled
def select_in_tiles(
    tiles: U8,
    luminance: I32,
    first: int,
    last: int,
    optics: Optics,
    kind: int,
    rows: F64,
    ranges: F64,
    wanted: I64,
    chosen: I32,
) -> None:
    """Codes of the wanted ranks, ``chosen (N, 2, 2)``, of the tiles from ``first`` to ``last``."""
    pixels = tiles.shape[2]
    blocks = blocks_of(pixels)
    scratch = new_scratch()
    found = np.empty((2, pixels + 8), np.int32)
    brackets = np.empty((2, 2), np.int32)
    tally = np.empty((2, 2), np.int64)
    for n in range(first, last):
        tile, lights = tiles[n], luminance[n]
        axes = Axes(kind, rows[n], ranges[n])
        stride = stride_of(pixels)
        while stride > 0:
            brackets_of(tile, lights, stride, optics, axes, wanted[n], scratch, brackets)
            scan_blocks(tile, lights, 0, blocks, optics, axes, brackets, scratch, found, tally)
            held = True
            for target in range(2):
                inside, below = tally[target]
                codes = found[target, :inside]
                held &= pick_ranks(codes, wanted[n, target], below, chosen[n, target])
            # All pixels instead of a sample, and then it is done.
            stride = 0 if held or stride == 1 else 1


@compiled
def transform_units(
    tiles: U8,
    luminance: I32,
    first: int,
    last: int,
    optics: Optics,
    matrices: F64,
    keep: U8,
    light: float,
    out: U8,
    lost: I64,
) -> None:
    """Write the blocks from ``first`` to ``last`` of all tiles, each through its tile's matrix."""
    scratch = new_scratch()
    blocks = blocks_of(tiles.shape[2])
    for unit in range(first, last):
        tile = unit // blocks
        start = (unit % blocks) * BLOCK_PX
        stop = min(start + BLOCK_PX, tiles.shape[2])
        if keep[tile]:
            out[tile, :, start:stop] = tiles[tile, :, start:stop]
            continue
        compute_density(tiles[tile], start, stop, optics, scratch.density)
        load_tissue(tiles[tile], luminance[tile], start, stop, optics, scratch.tissue)
        lost[unit] = apply_matrix(
            scratch.density, scratch.tissue, stop - start, matrices[tile], light, out[tile], start
        )


@compiled_strictly
def luminance_tables(
    tiles: U8, linear: I32, weights: I32, low: float, high: float, out: I32
) -> None:
    """What each grey level of each channel adds to a tile's luminance, after its contrast is stretched.

    Args:
        tiles: Shape ``(N, 3, P)``.
        linear: Linear light of each stretched grey level, shape ``(256,)``.
        weights: Of the three channels.
        low: Percentile of all grey levels that becomes black.
        high: Percentile that becomes white.
        out: Filled, shape ``(N, 3, 256)``.
    """
    counts = np.empty(256, np.int64)
    for tile in range(len(tiles)):
        counts[:] = 0
        for channel in range(3):
            for value in tiles[tile, channel]:
                counts[value] += 1
        black, white = level_of(counts, low), level_of(counts, high)
        if black >= white:
            seen = np.flatnonzero(counts)
            black, white = float(seen[0]), float(seen[-1])
        for value in range(256):
            stretched = value
            if white > black:
                share = (min(max(float(value), black), white) - black) / (white - black)
                stretched = int(np.floor(share * 255))
            for channel in range(3):
                out[tile, channel, value] = weights[channel] * linear[stretched]


@compiled_strictly
def level_of(counts: I64, percentile: float) -> float:
    """The linearly interpolated percentile of grey levels of which there are ``counts``."""
    rank = percentile / 100 * (counts.sum() - 1)
    lower = upper = -1.0
    below = 0
    for value in range(256):
        below += counts[value]
        if lower < 0 and below > np.floor(rank):
            lower = value
        if below > np.ceil(rank):
            upper = value
            break
    return lower + (upper - lower) * (rank - np.floor(rank))
