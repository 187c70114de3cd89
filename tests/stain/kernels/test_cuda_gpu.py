"""The CUDA kernels on a GPU, against the definition on the CPU."""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from histocli.data.phantom import PHANTOM_SCANNERS, PhantomKind, phantom_tile
from histocli.stain import MacenkoNormalizer
from histocli.stain.conventions import CONVENTIONS, find_convention
from histocli.stain.kernels import cuda, cuda_engine
from histocli.stain.macenko import estimate_stains
from histocli.stain.pixels import ArrayPixels
from histocli.stain.status import DEFAULT_GUARDS

pytestmark = pytest.mark.gpu
TORCHSTAIN = find_convention("torchstain")


@pytest.fixture(scope="module")
def cupy() -> Any:
    """CuPy, where it finds a device."""
    module = pytest.importorskip("cupy", reason="CuPy is not installed")
    try:
        found = module.cuda.runtime.getDeviceCount()
    except module.cuda.runtime.CUDARuntimeError as error:
        pytest.skip(f"no CUDA device ({error})")
    if not found:
        pytest.skip("no CUDA device")
    return module


def phantoms(count: int, height: int, width: int) -> NDArray[np.uint8]:
    kinds: tuple[PhantomKind, ...] = ("normal", "tumor", "stroma", "lymphocytes", "glands")
    scanners, size_px = list(PHANTOM_SCANNERS.values()), max(height, width, 96)
    tiles = [
        phantom_tile(
            kinds[i % 5], scanners[i % len(scanners)], np.random.default_rng(i), size_px
        ).pixels
        for i in range(count)
    ]
    return np.stack(tiles).transpose(0, 3, 1, 2)[:, :, :height, :width].copy()


def odd_tiles() -> NDArray[np.uint8]:
    generator = np.random.default_rng(0)
    noise = generator.integers(0, 256, (1, 32, 32)).astype(np.uint8)
    few = np.full((3, 32, 32), 245, np.uint8)
    few[:, 0, :8] = generator.integers(20, 120, (3, 8))
    flat = [
        np.broadcast_to(np.array(color, np.uint8)[:, None, None], (3, 32, 32))
        for color in ((255, 255, 255), (0, 0, 0), (220, 150, 190), (90, 60, 140))
    ]
    return np.stack([*flat, np.repeat(noise, 3, axis=0), few])


def assert_near(
    tiles: NDArray[np.uint8], out: Any, stains: cuda.CudaStains, convention: str
) -> None:
    """Equal to the definition within the tolerance of a fused body."""
    expected = MacenkoNormalizer(convention=convention, backend="numpy").normalize(tiles)
    np.testing.assert_array_equal(stains.status_codes.get(), expected.status_codes)
    there = expected.used == "tile"
    np.testing.assert_array_equal(stains.used.get(), there)
    for name, tolerance in (("stain_matrices", 1e-5), ("maximum_concentrations", 1e-4)):
        ours, theirs = getattr(stains, name).get()[there], getattr(expected, name)[there]
        np.testing.assert_allclose(ours, theirs, atol=tolerance)
    difference = np.abs(out.get().astype(int) - expected.tiles)
    assert difference.max(initial=0) <= 3
    assert (difference > 1).mean() <= 1e-3


@pytest.mark.parametrize("convention", list(CONVENTIONS))
@pytest.mark.parametrize(
    ("count", "height", "width"),
    [
        (10, 96, 96),
        (3, 97, 61),
        (2, 1, 1),
        (2, 160, 160),
        (2, 224, 224),
        (1, 300, 300),
        (1, 611, 403),
    ],
)
def test_normalized_tiles_equal_the_definition(
    cupy: Any, convention: str, count: int, height: int, width: int
) -> None:
    tiles = phantoms(count, height, width)
    out, stains = cuda.normalize(cupy.asarray(tiles), find_convention(convention))
    assert_near(tiles, out, stains, convention)


def test_degenerate_tiles_equal_the_definition(cupy: Any) -> None:
    tiles = odd_tiles()
    out, stains = cuda.normalize(cupy.asarray(tiles), TORCHSTAIN)
    assert_near(tiles, out, stains, "torchstain")
    assert not stains.used.any()


def test_real_tiles_equal_the_definition(cupy: Any, real_tiles: NDArray[np.uint8]) -> None:
    out, stains = cuda.normalize(cupy.asarray(real_tiles), TORCHSTAIN)
    assert_near(real_tiles, out, stains, "torchstain")


@pytest.mark.parametrize("size_px", [96, 300])
def test_a_tile_is_the_same_alone_and_in_a_batch(cupy: Any, size_px: int) -> None:
    tiles = cupy.asarray(phantoms(5, size_px, size_px))
    together, stains = cuda.normalize(tiles, TORCHSTAIN)
    again, _ = cuda.normalize(tiles, TORCHSTAIN)
    assert bool((together == again).all())
    for index in range(len(tiles)):
        alone, one = cuda.normalize(tiles[index : index + 1], TORCHSTAIN)
        assert bool((alone[0] == together[index]).all())
        for name, array in vars(stains).items():
            np.testing.assert_array_equal(getattr(one, name)[0].get(), array[index].get())


@pytest.mark.parametrize("convention", list(CONVENTIONS))
def test_passes_equal_the_definition(cupy: Any, convention: str) -> None:
    constants, tiles = find_convention(convention), phantoms(4, 110, 130)
    ours = cuda.CudaPixels.of(cupy.asarray(tiles), constants)
    theirs = ArrayPixels.of(tiles, constants, np.float64)
    one, other = (estimate_stains(p, constants, DEFAULT_GUARDS) for p in (ours, theirs))
    np.testing.assert_array_equal(one.status_codes.get(), other.status_codes)
    np.testing.assert_allclose(one.stain_matrices.get(), other.stain_matrices, atol=1e-5)
    np.testing.assert_allclose(
        one.maximum_concentrations.get(), other.maximum_concentrations, atol=1e-4
    )


def test_tensors_of_torch_go_in_and_out_on_its_stream(cupy: Any) -> None:
    if not torch.cuda.is_available():
        pytest.skip("torch finds no CUDA device")
    tiles = phantoms(6, 96, 96)
    expected, _ = cuda.normalize(cupy.asarray(tiles), TORCHSTAIN)
    with torch.cuda.stream(torch.cuda.Stream()):
        tensor = torch.from_numpy(tiles).cuda(non_blocking=True)
        out, stains = cuda.normalize(tensor, TORCHSTAIN)
        estimate = cuda.estimate(tensor, TORCHSTAIN)
        moved, lost = cuda.apply(tensor, stains.matrices, ~stains.used, TORCHSTAIN)
        doubled = out.to(torch.int64) * 2  # later work of torch sees the result
    torch.cuda.synchronize()
    for array in (out, moved, lost, *vars(stains).values(), *vars(estimate).values()):
        assert isinstance(array, torch.Tensor)
        assert array.device == tensor.device
    np.testing.assert_array_equal(out.cpu().numpy(), expected.get())
    np.testing.assert_array_equal(moved.cpu().numpy(), expected.get())
    np.testing.assert_array_equal(doubled.cpu().numpy(), expected.get().astype(int) * 2)
    assert torch.equal(lost, stains.clipped)
    assert torch.equal(estimate.stain_matrices, stains.stain_matrices)


def test_nothing_gives_nothing(cupy: Any) -> None:
    out, stains = cuda.normalize(cupy.zeros((0, 3, 96, 96), cupy.uint8), TORCHSTAIN)
    assert out.shape == (0, 3, 96, 96)
    assert stains.stain_matrices.shape == (0, 3, 2)


def test_kernels_need_no_more_than_they_are_given(cupy: Any) -> None:
    out, _ = cuda.normalize(cupy.asarray(phantoms(1, 96, 96)), TORCHSTAIN)
    kernel = cuda_engine.compiled_kernel(int(out.device.id), "normalize_tiles")
    assert kernel.shared_size_bytes <= cuda_engine.WORK_BYTES
    assert kernel.local_size_bytes == 0
    assert kernel.num_regs <= 64
