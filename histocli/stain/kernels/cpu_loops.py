"""Compiled loops over tiles and blocks: what one thread does without the interpreter's lock."""

import numpy as np

from histocli.stain.kernels.cpu_passes import (
    ALL_BINS,
    BLOCK_PX,
    F64,
    I32,
    I64,
    U8,
    Axes,
    Optics,
    add_moments,
    apply_matrix,
    blocks_of,
    collect_codes,
    compiled,
    compiled_strictly,
    count_codes,
    find_ranges,
    load_density,
    load_tissue,
    make_codes,
    new_scratch,
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
        load_density(tiles[tile], start, stop, optics.table, scratch.density)
        load_tissue(tiles[tile], luminance[tile], start, stop, optics, scratch.tissue)
        add_moments(scratch.density, scratch.tissue, stop - start, sums[unit])


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
    ranks: I64,
    chosen: I32,
) -> None:
    """Codes of given ranks, ``chosen (N, streams, levels, 2)``, of the tiles from ``first`` to ``last``."""
    pixels = tiles.shape[2]
    blocks = blocks_of(pixels)
    streams = ranks.shape[1]
    scratch = new_scratch()
    histogram = np.empty((streams, ALL_BINS), np.int64)
    found = np.empty((streams, pixels + 1), np.int32)
    edges = np.empty((streams, ranks.shape[2], 2), np.int32)
    before = np.empty((streams, ranks.shape[2]), np.int64)
    counts = np.empty(streams, np.int64)
    for tile in range(first, last):
        axes = Axes(kind, rows[tile], ranges[tile])
        histogram[:] = 0
        count_codes(tiles[tile], luminance[tile], 0, blocks, optics, axes, scratch, histogram)
        counts[:] = 0
        for stream in range(streams):
            find_ranges(histogram[stream], ranks[tile, stream], edges[stream], before[stream])
        for block in range(blocks):
            here = min(BLOCK_PX, pixels - block * BLOCK_PX)
            if blocks > 1:
                make_codes(tiles[tile], luminance[tile], block, optics, axes, scratch)
            for stream in range(streams):
                counts[stream] = collect_codes(
                    scratch.codes[stream], here, edges[stream], found[stream], counts[stream]
                )
        for stream in range(streams):
            pick_ranks(
                found[stream, : counts[stream]],
                ranks[tile, stream],
                before[stream],
                chosen[tile, stream],
            )


@compiled
def pick_ranks(found: I32, ranks: I64, before: I64, chosen: I32) -> None:
    """The codes of pairs of ranks among the codes found in their ranges; 0 where there are none."""
    found.sort()
    for level in range(len(ranks)):
        for end in range(2):
            position = ranks[level, end] - before[level]
            chosen[level, end] = found[position] if 0 <= position < len(found) else 0


@compiled
def count_in_blocks(
    tile: U8,
    luminance: I32,
    first: int,
    last: int,
    optics: Optics,
    axes: Axes,
    histogram: I64,
) -> None:
    """``count_codes`` for one thread's share of a large tile."""
    count_codes(tile, luminance, first, last, optics, axes, new_scratch(), histogram)


@compiled
def collect_in_blocks(
    tile: U8,
    luminance: I32,
    first: int,
    last: int,
    optics: Optics,
    axes: Axes,
    edges: I32,
    found: I32,
    counts: I64,
) -> None:
    """Codes in the wanted ranges, ``found (streams, room)``, of one thread's share of a large tile."""
    scratch = new_scratch()
    for block in range(first, last):
        pixels = make_codes(tile, luminance, block, optics, axes, scratch)
        for stream in range(found.shape[0]):
            counts[stream] = collect_codes(
                scratch.codes[stream], pixels, edges[stream], found[stream], counts[stream]
            )


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
        load_density(tiles[tile], start, stop, optics.table, scratch.density)
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
