"""The CUDA kernels without a GPU: compiled for two, and run on the CPU by a header that stands in."""

import ctypes
import importlib
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from histocli.data.phantom import PHANTOM_SCANNERS, PhantomKind, phantom_tile
from histocli.stain import PUBLISHED_REFERENCE, MacenkoNormalizer
from histocli.stain.conventions import CONVENTIONS, find_convention
from histocli.stain.kernels import cuda, cuda_engine
from histocli.stain.kernels.cuda import CudaPixels, CudaStains
from histocli.stain.macenko import estimate_stains
from histocli.stain.pixels import ArrayPixels
from histocli.stain.status import DEFAULT_GUARDS, StainStatus

HERE = Path(__file__).parent
SOURCE = Path(cuda.__file__).with_name("macenko.cu")
TORCHSTAIN = find_convention("torchstain")
KERNELS = {
    "normalize_tiles",
    "sum_tissue",
    "find_planes",
    "count_keys_of",
    "pick_keys",
    "apply_matrices",
    "judge_output",
}
# Shared memory of a multiprocessor, of which each block takes 1 KB for itself.
MULTIPROCESSOR_BYTES = {"sm_80": 164 * 1024, "sm_90": 228 * 1024}


@dataclass(frozen=True)
class Usage:
    """What a kernel needs of a multiprocessor."""

    registers: int
    shared_bytes: int
    local_bytes: int

    def blocks(self, architecture: str, threads: int, dynamic_bytes: int) -> int:
        """How many fit."""
        by_registers = 65536 // (-(-self.registers // 8) * 8 * threads)
        shared_bytes = self.shared_bytes + dynamic_bytes + 1024
        return min(
            by_registers, 2048 // threads, MULTIPROCESSOR_BYTES[architecture] // shared_bytes
        )


def compiled_by_nvrtc(architecture: str) -> str:
    """What the assembler says.

    Raises:
        ImportError: Without NVRTC's bindings.
        RuntimeError: Without NVRTC.
    """
    nvrtc = importlib.import_module("cuda.bindings.nvrtc")
    _, program = nvrtc.nvrtcCreateProgram(SOURCE.read_bytes(), b"macenko.cu", 0, [], [])
    options = [f"--gpu-architecture={architecture}", "-std=c++17", "--ptxas-options=-v"]
    (result,) = nvrtc.nvrtcCompileProgram(program, len(options), [o.encode() for o in options])
    _, size = nvrtc.nvrtcGetProgramLogSize(program)
    log = b" " * size
    nvrtc.nvrtcGetProgramLog(program, log)
    assert int(result) == 0, log.decode()
    return log.decode()


def compiled_by_nvcc(architecture: str, folder: Path) -> str:
    """What the assembler says."""
    nvcc = shutil.which("nvcc")
    if nvcc is None:
        pytest.skip("neither NVRTC nor nvcc is installed")
    options = ["-std=c++17", f"-arch={architecture}", "-cubin", "-Xptxas=-v", "-o", "macenko.cubin"]
    done = subprocess.run(
        [nvcc, *options, str(SOURCE)], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


@pytest.fixture(scope="module", params=list(MULTIPROCESSOR_BYTES))
def compiled(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, dict[str, Usage]]:
    """An architecture, and each kernel's needs there."""
    architecture = str(request.param)
    try:
        log = compiled_by_nvrtc(architecture)
    except (ImportError, RuntimeError):
        log = compiled_by_nvcc(architecture, tmp_path_factory.mktemp("cubin"))
    usages = {}
    for part in log.split("Compiling entry function '")[1:]:
        name = part.split("'")[0]
        registers = int(re.findall(r"Used (\d+) registers", part)[0])
        shared = re.findall(r"(\d+) bytes smem", part)
        local = re.findall(r"(\d+) bytes (?:stack|spill)", part)
        usages[name] = Usage(registers, int(shared[0]) if shared else 0, sum(map(int, local)))
    return architecture, usages


def test_kernels_spill_nothing(compiled: tuple[str, dict[str, Usage]]) -> None:
    _, usages = compiled
    assert set(usages) == KERNELS
    assert {name: usage.local_bytes for name, usage in usages.items()} == dict.fromkeys(KERNELS, 0)


def test_enough_blocks_share_a_multiprocessor(
    compiled: tuple[str, dict[str, Usage]], record_property: Callable[[str, object], None]
) -> None:
    architecture, usages = compiled
    for name, usage in usages.items():
        record_property(f"{architecture} {name}", repr(usage))
    expected = {"sm_80": 3, "sm_90": 4}[architecture]
    whole = usages["normalize_tiles"]
    assert whole.shared_bytes <= cuda_engine.WORK_BYTES
    assert whole.blocks(architecture, 256, 3 * 96 * 96) >= expected
    assert whole.registers <= 64, "1024 threads would not fit"
    for name in ("sum_tissue", "count_keys_of", "apply_matrices"):
        assert usages[name].blocks(architecture, cuda.THREADS, 3 * cuda.CHUNK_PX) >= expected


@dataclass(frozen=True)
class HostEngine:
    """Runs the kernels on the CPU, on NumPy arrays."""

    library: ctypes.CDLL
    shared_bytes: int = 227 * 1024
    xp: Any = np

    def upload(self, record: bytes) -> NDArray[np.uint8]:
        return np.frombuffer(record, np.uint8).copy()

    def launch(self, name: str, blocks: int, threads: int, shared_bytes: int, *args: Any) -> None:
        given: list[Any] = [ctypes.c_uint(number) for number in (blocks, threads, shared_bytes)]
        for argument in args:
            if isinstance(argument, np.ndarray):
                given.append(ctypes.c_void_p(argument.ctypes.data))
            elif isinstance(argument, np.int32):
                given.append(ctypes.c_int(int(argument)))
            elif isinstance(argument, np.int64):
                given.append(ctypes.c_longlong(int(argument)))
            else:
                assert argument is None
                given.append(ctypes.c_void_p(None))
        self.library[f"host_{name}"](*given)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    """macenko.cu compiled for the CPU."""
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("g++ is not installed")
    target = tmp_path_factory.mktemp("cuda_on_host") / "macenko.so"
    # Fortified longjmp refuses to change stacks.
    options = ["-std=c++17", "-O2", "-shared", "-fPIC", "-w", "-U_FORTIFY_SOURCE"]
    folders = [f"-I{HERE}", f"-I{SOURCE.parent}"]
    source = HERE / "cuda_on_host.cpp"
    done = subprocess.run(
        [compiler, *options, *folders, "-o", str(target), str(source)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return ctypes.CDLL(str(target))


@pytest.fixture(params=["one block a tile", "chunks"])
def engine(request: pytest.FixtureRequest, library: ctypes.CDLL) -> HostEngine:
    """With room for whole tiles in shared memory, and with none."""
    return HostEngine(library, 227 * 1024 if request.param == "one block a tile" else 0)


def phantoms(scanner: str, count: int, size_px: int = 96) -> NDArray[np.uint8]:
    kinds: tuple[PhantomKind, ...] = ("normal", "tumor", "stroma", "lymphocytes", "glands")
    tiles = [
        phantom_tile(
            kinds[i % 5], PHANTOM_SCANNERS[scanner], np.random.default_rng(i), size_px
        ).pixels
        for i in range(count)
    ]
    return np.stack(tiles).transpose(0, 3, 1, 2).copy()


def flat(*color: int, size_px: int = 32) -> NDArray[np.uint8]:
    return np.broadcast_to(np.array(color, np.uint8)[:, None, None], (3, size_px, size_px)).copy()


def eight_tissue_pixels() -> NDArray[np.uint8]:
    tile = flat(245, 245, 245, size_px=64)
    tile[:, 0, :8] = np.random.default_rng(0).integers(20, 120, (3, 8))
    return tile


def stained(concentrations: NDArray[np.float64]) -> NDArray[np.uint8]:
    """A square tile of given concentrations ``(2, P)``."""
    density = np.array(PUBLISHED_REFERENCE.stain_matrix) @ concentrations
    grey = np.clip(np.rint(240 * np.exp(-density)), 0, 255).astype(np.uint8)
    size_px = round(concentrations.shape[1] ** 0.5)
    return grey.reshape(3, size_px, size_px)


def little_tissue_with_ink() -> NDArray[np.uint8]:
    """Less ink than a percentile of all pixels sees, but much of the tissue."""
    concentrations = np.random.default_rng(2).uniform(0.3, 0.9, (2, 64 * 64))
    concentrations[:, 450:] = 0
    concentrations[:, :38] *= 7
    return stained(concentrations)


def weak(hematoxylin: float, eosin: float) -> NDArray[np.uint8]:
    shape = 2, 64 * 64
    return stained(np.random.default_rng(3).uniform(0, 1, shape) * [[hematoxylin], [eosin]])


DEGENERATE = {
    "white": flat(255, 255, 255),
    "black": flat(0, 0, 0),
    "pink": flat(220, 150, 190),
    "one color": flat(90, 60, 140),
    "grey noise": np.repeat(
        np.random.default_rng(0).integers(0, 256, (1, 32, 32)).astype(np.uint8), 3, axis=0
    ),
    "color noise": np.random.default_rng(1).integers(0, 256, (3, 32, 32)).astype(np.uint8),
    "one pixel": flat(120, 60, 140, size_px=1),
    "two pixels": np.array([[[120, 20]], [[60, 80]], [[140, 90]]], np.uint8),
    "eight tissue pixels": eight_tissue_pixels(),
    "97x61": phantoms("alpha", 1, 97)[0, :, :, :61],
    "clipped": little_tissue_with_ink(),
    "pale": weak(0.4, 0.9),
    "hardly any eosin": weak(1.5, 0.08),
}


def assert_near(
    tiles: NDArray[np.uint8], out: NDArray[np.uint8], stains: CudaStains, convention: str
) -> None:
    """Equal to the definition within the tolerance of a fused body."""
    expected = MacenkoNormalizer(convention=convention, backend="numpy").normalize(tiles)
    np.testing.assert_array_equal(stains.status_codes, expected.status_codes)
    there = expected.used == "tile"
    np.testing.assert_array_equal(stains.used, there)
    np.testing.assert_array_equal(stains.tissue_fraction, expected.tissue_fraction)
    for name, tolerance in (("stain_matrices", 1e-5), ("maximum_concentrations", 1e-4)):
        ours, theirs = getattr(stains, name)[there], getattr(expected, name)[there]
        np.testing.assert_allclose(ours, theirs, atol=tolerance)
    difference = np.abs(out.reshape(tiles.shape).astype(int) - expected.tiles)
    assert difference.max(initial=0) <= 3
    assert (difference > 1).mean() <= 1e-3


def test_host_and_kernels_agree_on_the_layout(library: ctypes.CDLL) -> None:
    assert library.host_state_bytes() == 8 * cuda.STATE_WORDS
    assert library.host_bins() == cuda_engine.BINS
    record = cuda_engine.pack_constants(TORCHSTAIN, DEFAULT_GUARDS, PUBLISHED_REFERENCE)
    assert library.host_constants_bytes() == len(record)


@pytest.mark.parametrize("scanner", list(PHANTOM_SCANNERS))
@pytest.mark.parametrize("convention", list(CONVENTIONS))
def test_normalized_tiles_equal_the_definition(
    engine: HostEngine, convention: str, scanner: str
) -> None:
    tiles = phantoms(scanner, 5)
    out, stains = CudaPixels.of(tiles, find_convention(convention), engine).normalize()
    assert_near(tiles, out, stains, convention)
    assert stains.used.any()


@pytest.mark.parametrize("name", DEGENERATE)
@pytest.mark.parametrize("convention", ["torchstain", "cucim"])
def test_degenerate_tiles_equal_the_definition(
    engine: HostEngine, name: str, convention: str
) -> None:
    tiles = DEGENERATE[name][None]
    out, stains = CudaPixels.of(tiles, find_convention(convention), engine).normalize()
    assert_near(tiles, out, stains, convention)


def test_degenerate_tiles_have_every_status(library: ctypes.CDLL) -> None:
    engine = HostEngine(library)
    each = [CudaPixels.of(t[None], TORCHSTAIN, engine).normalize()[1] for t in DEGENERATE.values()]
    assert {int(one.status_codes[0]) for one in each} == set(StainStatus)


def test_a_large_tile_equals_the_definition(library: ctypes.CDLL) -> None:
    tiles = phantoms("alpha", 1, 300)
    out, stains = CudaPixels.of(tiles, TORCHSTAIN, HostEngine(library)).normalize()
    assert_near(tiles, out, stains, "torchstain")


@pytest.mark.parametrize("size_px", [150, 224])
def test_blocks_of_more_threads_equal_the_definition(library: ctypes.CDLL, size_px: int) -> None:
    tiles = phantoms("alpha", 1, size_px)
    out, stains = CudaPixels.of(tiles, TORCHSTAIN, HostEngine(library)).normalize()
    assert_near(tiles, out, stains, "torchstain")


def test_no_result_depends_on_the_batch_or_on_the_order_of_threads(engine: HostEngine) -> None:
    tiles = np.concatenate([phantoms("alpha", 3, 110), np.full((1, 3, 110, 110), 255, np.uint8)])
    out, stains = CudaPixels.of(tiles, TORCHSTAIN, engine).normalize()
    engine.library.host_set_reversed(1)
    alone = [CudaPixels.of(tile[None], TORCHSTAIN, engine).normalize() for tile in tiles]
    engine.library.host_set_reversed(0)
    np.testing.assert_array_equal(out, np.concatenate([one for one, _ in alone]))
    for name, together in vars(stains).items():
        parts = np.concatenate([getattr(one, name) for _, one in alone])
        np.testing.assert_array_equal(together, parts)


def test_tiles_may_start_at_any_address(engine: HostEngine) -> None:
    tiles = phantoms("beta", 2)
    buffer = np.zeros(tiles.size + 3, np.uint8)
    buffer[3:] = tiles.ravel()
    aside = buffer[3:].reshape(tiles.shape)
    out, _ = CudaPixels.of(tiles, TORCHSTAIN, engine).normalize()
    np.testing.assert_array_equal(CudaPixels.of(aside, TORCHSTAIN, engine).normalize()[0], out)


@pytest.mark.parametrize("shape", [(0, 3, 96, 96), (2, 3, 0, 8)])
def test_nothing_gives_nothing(engine: HostEngine, shape: tuple[int, ...]) -> None:
    pixels = CudaPixels.of(np.zeros(shape, np.uint8), TORCHSTAIN, engine)
    out, stains = pixels.normalize()
    assert out.shape == (shape[0], 3, shape[2] * shape[3])
    assert (stains.status_codes == StainStatus.BLANK).all()
    assert len(pixels.estimate().usable) == shape[0]
    assert pixels.tissue_moments()[0].shape == (shape[0],)


@pytest.mark.parametrize("array", [np.zeros((1, 3, 4, 4)), np.zeros((1, 4, 4, 3), np.uint8)])
def test_other_arrays_are_refused(library: ctypes.CDLL, array: NDArray[Any]) -> None:
    with pytest.raises(ValueError, match="expected uint8"):
        CudaPixels.of(array, TORCHSTAIN, HostEngine(library))


def test_an_estimate_is_that_of_normalization(engine: HostEngine) -> None:
    pixels = CudaPixels.of(phantoms("alpha", 2), TORCHSTAIN, engine)
    estimate, (_, stains) = pixels.estimate(), pixels.normalize()
    for name in ("stain_matrices", "maximum_concentrations", "stain_angle_degrees", "usable"):
        np.testing.assert_array_equal(getattr(estimate, name), getattr(stains, name))
    assert not estimate.used.any()
    assert ((estimate.eigenvalue_ratio > 0) & (estimate.eigenvalue_ratio < 1)).all()


@pytest.mark.parametrize("convention", list(CONVENTIONS))
def test_passes_equal_the_definition(library: ctypes.CDLL, convention: str) -> None:
    constants = find_convention(convention)
    tiles = np.concatenate([phantoms("alpha", 2, 120), np.full((1, 3, 120, 120), 255, np.uint8)])
    ours = CudaPixels.of(tiles, constants, HostEngine(library))
    theirs = ArrayPixels.of(tiles, constants, np.float64)
    for one, other in zip(ours.tissue_moments(), theirs.tissue_moments(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)
    one, other = (estimate_stains(p, constants, DEFAULT_GUARDS) for p in (ours, theirs))
    np.testing.assert_array_equal(one.status_codes, other.status_codes)
    np.testing.assert_allclose(one.stain_matrices, other.stain_matrices, atol=1e-5)
    np.testing.assert_allclose(one.maximum_concentrations, other.maximum_concentrations, atol=1e-4)


def test_a_matrix_carries_tiles_and_counts_what_it_loses(engine: HostEngine) -> None:
    tiles = phantoms("alpha", 3)
    matrices = np.stack([np.eye(3), 3 * np.eye(3), -np.eye(3)])
    keep = np.array([True, False, False])
    ours = CudaPixels.of(tiles, TORCHSTAIN, engine)
    theirs = ArrayPixels.of(tiles, TORCHSTAIN, np.float64)
    (out, lost), (light, lost_there) = (p.transform(matrices, keep) for p in (ours, theirs))
    np.testing.assert_array_equal(out[0], tiles[0].reshape(3, -1))
    difference = np.abs(out - np.round(light))
    assert difference.max() <= 1
    assert (difference > 0).mean() < 1e-3
    np.testing.assert_allclose(lost, lost_there, atol=1e-3)
    assert lost[0] == 0
    assert lost[2] == 1
    _, clipped = ours.apply(matrices, keep)
    np.testing.assert_array_equal(clipped, np.rint(lost * ours.tissue_moments()[0]))
