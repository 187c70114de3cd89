"""The passes over the pixels on all cores of the CPU: a fused body of ``ArrayPixels``.

Threads share out tiles, or the blocks of one large tile; how many there are changes no byte.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from histocli.stain.conventions import Convention
from histocli.stain.cores import available_cores
from histocli.stain.kernels import cpu_loops
from histocli.stain.kernels.cpu_passes import (
    ALL_DARK,
    ANGLE,
    ANY_DARK,
    BIN_BITS,
    BINS,
    BLOCK_PX,
    CONCENTRATIONS,
    F64,
    I32,
    I64,
    LUMINANCE,
    U8,
    Axes,
    Optics,
    blocks_of,
    new_scratch,
)
from histocli.stain.optical_density import density_table
from histocli.stain.tissue import (
    LUMINANCE_WEIGHTS,
    STRETCH,
    linear_eighths,
    luminance_limit,
    tissue_grey_level,
)

CODES = BINS << BIN_BITS


@dataclass(frozen=True)
class CpuPixels:
    """Pixels of uint8 tiles.

    Args:
        tiles: C-contiguous, shape ``(N, 3, P)``.
        convention: The constants.
        optics: Tables and rule made of them.
        luminance: What each grey level adds to a tile's luminance, shape ``(N, 3, 256)``; empty where the
            convention's rule does not ask.
        workers: Threads.
    """

    tiles: U8
    convention: Convention
    optics: Optics
    luminance: I32
    workers: int

    @classmethod
    def of(cls, tiles: U8, convention: Convention, workers: int | None = None) -> "CpuPixels":
        """From uint8 tiles of shape ``(N, 3, H, W)`` in any memory layout."""
        flat = np.ascontiguousarray(tiles).reshape(
            tiles.shape[0], 3, tiles.shape[2] * tiles.shape[3]
        )
        table = density_table(convention)
        luminance = np.zeros((len(flat), 3, 0), np.int32)
        if convention.tissue_rule == "lightness":
            rule, limit = LUMINANCE, luminance_limit(convention)
            luminance = np.empty((len(flat), 3, 256), np.int32)
            linear, weights = (
                linear_eighths().astype(np.int32),
                np.array(LUMINANCE_WEIGHTS, np.int32),
            )
            cpu_loops.luminance_tables(flat, linear, weights, *STRETCH, luminance)
        else:
            rule = ALL_DARK if convention.tissue_rule == "all_channels" else ANY_DARK
            limit = tissue_grey_level(convention)
        optics = Optics(
            table.astype(np.float32),
            rule,
            limit,
            np.float32(convention.darkest),
            np.float32(convention.brightest),
            np.float32(convention.offset),
            np.float32(np.log(convention.transmitted_light)),
        )
        return cls(flat, convention, optics, luminance, workers or available_cores())

    @property
    def per_tile(self) -> int:
        """Pixels of one tile."""
        return int(self.tiles.shape[2])

    def tissue_moments(self) -> tuple[F64, F64, F64]:
        """See ``Pixels``."""
        total = self._sums
        count = total[:, 0]
        enough = np.where(count >= 2, count, np.inf)
        mean = total[:, 1:4] / enough[:, None]
        products = total[:, [4, 5, 6, 5, 7, 8, 6, 8, 9]].reshape(-1, 3, 3)
        outer = count[:, None, None] * mean[:, :, None] * mean[:, None, :]
        return count, mean, (products - outer) / (enough - 1)[:, None, None]

    def angle_percentiles(self, plane: F64, levels: tuple[float, float]) -> F64:
        """See ``Pixels``."""
        ranges = np.zeros((len(self.tiles), 2, 2), np.float64)
        tissue = self._sums[:, :1]
        rank = np.clip(tissue - 1, 0, None) * np.array(levels) / 100
        codes = self._order_statistics(ANGLE, plane, ranges, rank, tissue)
        angles = _angle_of((codes + 0.5) / 2**22 - 2)
        return _between(angles, rank)

    def concentration_percentiles(self, inverse: F64, level: float) -> F64:
        """See ``Pixels``."""
        density = self.optics.table.astype(np.float64)
        ends = inverse[:, :, :, None] * np.array([density.min(), density.max()])
        low = ends.min(axis=-1).sum(axis=-1)
        high = ends.max(axis=-1).sum(axis=-1)
        scale = (CODES - 2) / (high - low)
        ranges = np.stack([low, scale], axis=-1)
        rank = np.full((len(self.tiles), 2), (self.per_tile - 1) * level / 100)
        codes = self._order_statistics(CONCENTRATIONS, inverse, ranges, rank, self.per_tile)
        return _between((codes + 0.5) / scale[:, :, None] + low[:, :, None], rank)

    def transform(self, matrices: F64, keep: NDArray[np.bool_]) -> tuple[U8, F64]:
        """Like ``ArrayPixels.transform``, but rounded to uint8."""
        units = len(self.tiles) * self._blocks
        out = np.empty_like(self.tiles)
        lost = np.zeros(units, np.int64)
        kept = keep.astype(np.uint8)
        matrices = np.ascontiguousarray(matrices)
        light = self.convention.transmitted_light
        self._share_out(
            units,
            lambda first, last: cpu_loops.transform_units(
                self.tiles,
                self.luminance,
                first,
                last,
                self.optics,
                matrices,
                kept,
                light,
                out,
                lost,
            ),
        )
        count = lost.reshape(len(self.tiles), self._blocks).sum(axis=1)
        return out, count / np.clip(self._sums[:, 0], 1, None)

    @property
    def _blocks(self) -> int:
        return int(blocks_of(self.per_tile))

    @cached_property
    def _sums(self) -> F64:
        """Count, sums and products of each tile's tissue, shape ``(N, 10)``."""
        units = len(self.tiles) * self._blocks
        sums = np.zeros((units, 10), np.float64)
        self._share_out(
            units,
            lambda first, last: cpu_loops.moments_of_units(
                self.tiles, self.luminance, first, last, self.optics, sums
            ),
        )
        return np.asarray(sums.reshape(len(self.tiles), self._blocks, 10).sum(axis=1))

    def _order_statistics(
        self, kind: int, rows: F64, ranges: F64, rank: F64, total: F64 | int
    ) -> I32:
        """Codes of the ranks below and above each fractional rank ``(N, 2)``.

        Returns:
            Shape ``(N, 2, 2)``; 0 where nothing counts.
        """
        totals = np.broadcast_to(total, rank.shape)
        wanted = np.stack([np.floor(rank), np.ceil(rank), totals], axis=-1).astype(np.int64)
        chosen = np.zeros((*rank.shape, 2), np.int32)
        rows, ranges = np.ascontiguousarray(rows), np.ascontiguousarray(ranges)
        if len(self.tiles) < self.workers and self._blocks > 1:
            for n in range(len(self.tiles)):
                axes = Axes(kind, rows[n], ranges[n])
                self._select_in_parts(n, axes, wanted[n], chosen[n])
        else:
            self._share_out(
                len(self.tiles),
                lambda first, last: cpu_loops.select_in_tiles(
                    self.tiles,
                    self.luminance,
                    first,
                    last,
                    self.optics,
                    kind,
                    rows,
                    ranges,
                    wanted,
                    chosen,
                ),
            )
        return chosen

    def _select_in_parts(self, n: int, axes: Axes, wanted: I64, chosen: I32) -> None:
        """``select_in_tiles`` for one large tile, whose blocks the threads share."""
        tile, lights, optics = self.tiles[n], self.luminance[n], self.optics
        brackets = np.empty((2, 2), np.int32)

        def scan(first: int, last: int) -> tuple[list[I32], I64]:
            found = np.empty((2, (last - first) * BLOCK_PX + 8), np.int32)
            tally = np.empty((2, 2), np.int64)
            room = new_scratch()
            cpu_loops.scan_blocks(
                tile, lights, first, last, optics, axes, brackets, room, found, tally
            )
            return [found[target, :inside] for target, inside in enumerate(tally[:, 0])], tally

        for stride in (cpu_loops.stride_of(self.per_tile), 1):
            room = new_scratch()
            cpu_loops.brackets_of(tile, lights, stride, optics, axes, wanted, room, brackets)
            found, tallies = zip(*self._share_out(self._blocks, scan), strict=True)
            below = np.sum(tallies, axis=0)[:, 1]
            held = [
                cpu_loops.pick_ranks(
                    np.concatenate(codes), wanted[target], below[target], chosen[target]
                )
                for target, codes in enumerate(zip(*found, strict=True))
            ]
            if all(held):
                return

    def _share_out(self, units: int, work: Callable[[int, int], Any]) -> list[Any]:
        """Call ``work(first, last)`` on parts of ``range(units)``, on several threads."""
        parts = min(units, 4 * self.workers)
        if self.workers == 1 or parts <= 1:
            return [work(0, units)]
        edges = np.linspace(0, units, parts + 1).astype(int).tolist()
        with ThreadPoolExecutor(self.workers, "stain") as pool:
            return list(pool.map(work, edges[:-1], edges[1:]))


def _angle_of(turn: F64) -> F64:
    """The angle, radians, of what ``code_angles`` made of it."""
    ahead = np.abs(turn) <= 1
    slope = np.where(ahead, turn, np.copysign(2, turn) - turn)
    along = 1 - np.abs(slope)
    return np.asarray(np.arctan2(slope, np.where(ahead, along, -along)))


def _between(ends: F64, rank: F64) -> F64:
    """Interpolate linearly between the values ``(..., 2)`` below and above a fractional rank."""
    return np.asarray(ends[..., 0] + (ends[..., 1] - ends[..., 0]) * (rank - np.floor(rank)))
