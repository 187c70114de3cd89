"""The passes over the pixels, and all of Macenko's method, in the CUDA kernels of macenko.cu.

Tiles that fit the shared memory of a block are normalised in one launch, each read and written once.
Nothing here waits for the device, but for the first use of a convention, guards and reference.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from histocli.stain.arrays import Array, Namespace
from histocli.stain.conventions import Convention
from histocli.stain.kernels.cuda_engine import (
    BINS,
    WORK_BYTES,
    CupyEngine,
    Engine,
    borrowed,
    pack_constants,
)
from histocli.stain.reference import PUBLISHED_REFERENCE, StainReference
from histocli.stain.status import DEFAULT_GUARDS, Guards, StainStatus
from histocli.stain.tissue import tissue_mask

# What becomes a key: the angle of tissue pixels, or both concentrations of all pixels.
ANGLE, CONCENTRATIONS = 0, 1
# The kernels' State of a tile, in words of 8 bytes, as far as the host reads or writes it.
STATE_WORDS = 54
TOTAL, ROWS, LEVELS, VALUES = slice(0, 10), slice(10, 16), slice(16, 18), slice(18, 20)
STAINS, MAXIMA, MATRIX = slice(20, 26), slice(26, 28), slice(32, 41)
FRACTION, STAIN_ANGLE, RATIO, STATUS, USABLE, USED, CLIPPED = 28, 29, 30, 41, 42, 43, 44

THREADS = 256
# Pixels of a block of a large tile; one block for 96x96.
CHUNK_PX = 10240
# Threads for a tile in one block. The fewer blocks share a multiprocessor, the more threads each needs:
# with 227 KB there are at least three, two, one.
THREADS_UP_TO = {256: 128**2, 512: 176**2, 1024: 2**62}
_I32 = np.int32


@dataclass(frozen=True)
class CudaStains:
    """Stains of a batch of tiles, and what became of them.

    Attributes:
        stain_matrices: Shape ``(N, 3, 2)``: columns hematoxylin, eosin, unit length.
        maximum_concentrations: Shape ``(N, 2)``.
        tissue_fraction: Shape ``(N,)``.
        stain_angle_degrees: Between the two stains, shape ``(N,)``; 90 where it was not measured.
        eigenvalue_ratio: Second over first eigenvalue of the covariance, shape ``(N,)``.
        status_codes: ``StainStatus`` values, shape ``(N,)``.
        usable: False where a guard forbids the use of the estimate, shape ``(N,)``.
        used: False where the tile stayed as it was, shape ``(N,)``.
        matrices: On the optical density, the identity where the tile stayed, shape ``(N, 3, 3)``.
        clipped: Tissue pixels that left the 8-bit range, shape ``(N,)``.
    """

    stain_matrices: Array
    maximum_concentrations: Array
    tissue_fraction: Array
    stain_angle_degrees: Array
    eigenvalue_ratio: Array
    status_codes: Array
    usable: Array
    used: Array
    matrices: Array
    clipped: Array

    @classmethod
    def of(cls, xp: Namespace, states: Array) -> "CudaStains":
        """From the kernels' states, float64 ``(N, STATE_WORDS)``."""
        whole = states.view(xp.int64)
        return cls(
            stain_matrices=xp.ascontiguousarray(states[:, STAINS]).reshape(-1, 3, 2),
            maximum_concentrations=states[:, MAXIMA].copy(),
            tissue_fraction=states[:, FRACTION].copy(),
            stain_angle_degrees=states[:, STAIN_ANGLE].copy(),
            eigenvalue_ratio=states[:, RATIO].copy(),
            status_codes=whole[:, STATUS].copy(),
            usable=whole[:, USABLE] != 0,
            used=whole[:, USED] != 0,
            matrices=xp.ascontiguousarray(states[:, MATRIX]).reshape(-1, 3, 3),
            clipped=whole[:, CLIPPED].copy(),
        )


def estimate(tiles: Array, convention: Convention, guards: Guards = DEFAULT_GUARDS) -> CudaStains:
    """Estimate the stains of uint8 tiles ``(N, 3, H, W)`` of CuPy, or of torch on CUDA."""
    with borrowed(tiles) as (work, give_back):
        stains = CudaPixels.of(work, convention).estimate(guards)
        return CudaStains(*(give_back(array) for array in vars(stains).values()))


def normalize(
    tiles: Array,
    convention: Convention,
    reference: StainReference = PUBLISHED_REFERENCE,
    guards: Guards = DEFAULT_GUARDS,
) -> tuple[Array, CudaStains]:
    """Normalise uint8 tiles ``(N, 3, H, W)`` of CuPy, or of torch on CUDA, each by its own stains."""
    with borrowed(tiles) as (work, give_back):
        out, stains = CudaPixels.of(work, convention).normalize(reference, guards)
        mine = CudaStains(*(give_back(array) for array in vars(stains).values()))
        return give_back(out.reshape(tuple(tiles.shape))), mine


def apply(
    tiles: Array, matrices: Array, leave: Array, convention: Convention
) -> tuple[Array, Array]:
    """Carry the optical density of tiles ``(N, 3, H, W)`` through matrices ``(N, 3, 3)``.

    Args:
        tiles: uint8, of CuPy, or of torch on CUDA.
        matrices: One per tile, of the same library.
        leave: True for tiles that stay as they are, shape ``(N,)``, of the same library.
        convention: The constants.

    Returns:
        Tiles, and how many tissue pixels of each left the 8-bit range, int64 ``(N,)``.
    """
    with borrowed(tiles) as (work, give_back):
        pixels = CudaPixels.of(work, convention)
        out, clipped = pixels.apply(*(pixels.engine.xp.from_dlpack(a) for a in (matrices, leave)))
        return give_back(out.reshape(tuple(tiles.shape))), give_back(clipped)


@dataclass(frozen=True)
class CudaPixels:
    """Pixels of uint8 tiles: the passes of ``Pixels``, and all of Macenko's method at once.

    Args:
        tiles: C-contiguous, shape ``(N, 3, P)``.
        convention: The constants.
        given: Tissue ``(N, P)``, uint8, where the convention's rule is no rule on grey levels.
        engine: Where the kernels run.
    """

    tiles: Array
    convention: Convention
    given: Array | None
    engine: Engine

    @classmethod
    def of(cls, tiles: Array, convention: Convention, engine: Engine | None = None) -> "CudaPixels":
        """From uint8 tiles of shape ``(N, 3, H, W)`` in any memory layout, of CuPy.

        Raises:
            ValueError: If the array is not uint8 of that shape.
        """
        if tiles.ndim != 4 or tiles.shape[1] != 3 or str(tiles.dtype) != "uint8":
            raise ValueError(f"expected uint8 (N, 3, H, W), not {tiles.dtype} {tiles.shape}")
        engine = engine or CupyEngine(int(tiles.device.id))
        xp = engine.xp
        flat = xp.ascontiguousarray(tiles).reshape(len(tiles), 3, tiles.shape[2] * tiles.shape[3])
        given = None
        if convention.tissue_rule == "lightness":
            grey = flat.astype(xp.float32)
            given = tissue_mask(grey, grey, convention).astype(xp.uint8)
        return cls(flat, convention, given, engine)

    @property
    def per_tile(self) -> int:
        """Pixels of one tile."""
        return int(self.tiles.shape[2])

    def tissue_moments(self) -> tuple[Array, Array, Array]:
        """See ``Pixels``."""
        xp, total = self.engine.xp, self._sums
        count = total[:, 0]
        enough = xp.where(count >= 2, count, np.inf)
        mean = total[:, 1:4] / enough[:, None]
        products = total[:, [4, 5, 6, 5, 7, 8, 6, 8, 9]].reshape(-1, 3, 3)
        outer = count[:, None, None] * mean[:, :, None] * mean[:, None, :]
        return count, mean, (products - outer) / (enough - 1)[:, None, None]

    def angle_percentiles(self, plane: Array, levels: tuple[float, float]) -> Array:
        """See ``Pixels``."""
        return self._percentiles(ANGLE, plane, levels)

    def concentration_percentiles(self, inverse: Array, level: float) -> Array:
        """See ``Pixels``."""
        return self._percentiles(CONCENTRATIONS, inverse, (level, level))

    def transform(self, matrices: Array, keep: Array) -> tuple[Array, Array]:
        """Like ``ArrayPixels.transform``, but rounded to uint8."""
        out, clipped = self.apply(matrices, keep)
        return out, clipped / self.engine.xp.clip(self._sums[:, 0], 1, None)

    def apply(self, matrices: Array, leave: Array) -> tuple[Array, Array]:
        """See the function of that name; tiles ``(N, 3, P)``."""
        xp = self.engine.xp
        out, clipped = xp.empty_like(self.tiles), xp.zeros(len(self.tiles), xp.int64)
        matrices = xp.ascontiguousarray(matrices.astype(xp.float64))
        used = (~leave.astype(bool)).astype(xp.int64)
        self._launch_chunks("apply_matrices", _I32(9), _I32(1), matrices, used, clipped, out)
        return out, clipped

    def estimate(self, guards: Guards = DEFAULT_GUARDS) -> CudaStains:
        """Estimate the stains of each tile."""
        # A reference of no concentration: no scale is too large.
        nothing = StainReference(PUBLISHED_REFERENCE.stain_matrix, (0.0, 0.0))
        return CudaStains.of(self.engine.xp, self._run(nothing, guards, None))

    def normalize(
        self, reference: StainReference = PUBLISHED_REFERENCE, guards: Guards = DEFAULT_GUARDS
    ) -> tuple[Array, CudaStains]:
        """Normalise each tile by its own stains; tiles ``(N, 3, P)``."""
        out = self.engine.xp.empty_like(self.tiles)
        states = self._run(reference, guards, out)
        return out, CudaStains.of(self.engine.xp, states)

    def _run(self, reference: StainReference, guards: Guards, out: Array | None) -> Array:
        xp, engine, count = self.engine.xp, self.engine, len(self.tiles)
        constants = engine.upload(pack_constants(self.convention, guards, reference))
        states = xp.zeros((count, STATE_WORDS), xp.float64)
        whole = states.view(xp.int64)
        shared = 3 * _round_up(self.per_tile)
        if self.tiles.size == 0:
            whole[:, STATUS] = int(StainStatus.BLANK)
        elif shared + WORK_BYTES <= engine.shared_bytes:
            threads = next(t for t, most in THREADS_UP_TO.items() if self.per_tile <= most)
            pixels = self.tiles, self.given, constants, np.int64(self.per_tile)
            engine.launch("normalize_tiles", count, threads, shared, *pixels, states, out)
        else:
            self._sum_into(states, constants)
            for kind in (ANGLE, CONCENTRATIONS):
                self._select(kind, states, constants, judge=True)
            if out is not None:
                stride = _I32(STATE_WORDS)
                columns = states[:, MATRIX], whole[:, USED:], whole[:, CLIPPED:]
                self._launch_chunks("apply_matrices", stride, stride, *columns, out)
                blocks = -(-count // 32)
                engine.launch("judge_output", blocks, 32, 0, constants, _I32(count), states)
        return states

    def _sum_into(self, states: Array, constants: Array) -> None:
        xp, chunks, count = self.engine.xp, self._chunks[0], len(self.tiles)
        partial = xp.empty((count, chunks, 10), xp.float64)
        self._launch_chunks("sum_tissue", partial)
        arguments = constants, np.int64(self.per_tile), _I32(chunks), partial, states
        self.engine.launch("find_planes", count, THREADS, 0, *arguments)

    def _select(self, kind: int, states: Array, constants: Array, *, judge: bool) -> None:
        """Two rounds of counting and picking, which leave percentiles in the states."""
        xp = self.engine.xp
        histograms = xp.zeros((len(self.tiles), 2, BINS), xp.uint32)
        for within in (0, 1):
            stage = _I32(kind), _I32(within)
            self._launch_chunks("count_keys_of", *stage, states, histograms)
            arguments = constants, np.int64(self.per_tile), *stage, _I32(judge), states, histograms
            self.engine.launch("pick_keys", len(self.tiles), THREADS, 0, *arguments)

    def _percentiles(self, kind: int, rows: Array, levels: tuple[float, float]) -> Array:
        xp = self.engine.xp
        states = xp.zeros((len(self.tiles), STATE_WORDS), xp.float64)
        states[:, TOTAL] = self._sums
        states[:, ROWS] = rows.reshape(-1, 6)
        for column, level in zip(range(STATE_WORDS)[LEVELS], levels, strict=True):
            states[:, column] = level
        states.view(xp.int64)[:, USABLE] = 1
        if self.tiles.size:
            self._select(kind, states, self._optics, judge=False)
        return states[:, VALUES].copy()

    @cached_property
    def _sums(self) -> Array:
        """Count, sums and products of each tile's tissue, shape ``(N, 10)``."""
        states = self.engine.xp.zeros((len(self.tiles), STATE_WORDS), np.float64)
        if self.tiles.size:
            self._sum_into(states, self._optics)
        return states[:, TOTAL].copy()

    @cached_property
    def _optics(self) -> Array:
        """Constants for passes that judge nothing."""
        return self.engine.upload(
            pack_constants(self.convention, DEFAULT_GUARDS, PUBLISHED_REFERENCE)
        )

    @property
    def _chunks(self) -> tuple[int, int]:
        """Parts of a tile, and pixels of each but the last; they depend on the tile's size alone."""
        parts = -(-self.per_tile // CHUNK_PX)
        size = _round_up(-(-self.per_tile // max(parts, 1)))
        return -(-self.per_tile // max(size, 1)), size

    def _launch_chunks(self, name: str, *arguments: Any) -> None:
        """Start a kernel that works on chunks; its first arguments are the same for all of those."""
        chunks, size = self._chunks
        if self.tiles.size:
            pixels = self.tiles, self.given, self._optics, np.int64(self.per_tile)
            blocks, parts = len(self.tiles) * chunks, (_I32(chunks), _I32(size))
            self.engine.launch(name, blocks, THREADS, 3 * size, *pixels, *parts, *arguments)


def _round_up(count: int) -> int:
    """To the next multiple of 16, the bytes of the widest load."""
    return -(-count // 16) * 16
