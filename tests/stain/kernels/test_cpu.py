import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numba.core import caching
from numpy.typing import NDArray

from histocli.stain import MacenkoNormalizer, NormalizedTiles
from histocli.stain.conventions import CONVENTIONS, find_convention
from histocli.stain.kernels import cpu_loops, cpu_passes
from histocli.stain.kernels.cpu import CpuPixels
from histocli.stain.kernels.cpu_loops import stride_of
from histocli.stain.macenko import estimate_stains
from histocli.stain.optical_density import density_table
from histocli.stain.pixels import ArrayPixels
from histocli.stain.status import DEFAULT_GUARDS
from tests.stain.synthetic import large_phantom, phantom_batch

Tiles = NDArray[np.uint8]


def assert_parity(fast: NormalizedTiles, oracle: NormalizedTiles) -> None:
    """Within 1 grey level on 99.9 % of the pixels, within 3 on all, and the same status."""
    assert (fast.status == oracle.status).all()
    assert (fast.used == oracle.used).all()
    difference = np.abs(np.asarray(fast.tiles).astype(int) - oracle.tiles.astype(int))
    assert difference.max() <= 3
    assert (difference <= 1).mean() >= 0.999
    np.testing.assert_allclose(fast.stain_matrices, oracle.stain_matrices, atol=1e-5)
    np.testing.assert_allclose(
        fast.maximum_concentrations, oracle.maximum_concentrations, rtol=1e-4
    )
    np.testing.assert_array_equal(fast.tissue_fraction, oracle.tissue_fraction)


@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("backend", ["cpu", "torch"])
def test_real_tiles_equal_the_float64_definition(
    real_tiles: Tiles, convention: str, backend: str
) -> None:
    fast, oracle = (
        MacenkoNormalizer(convention, name).normalize(real_tiles) for name in (backend, "numpy")
    )
    assert_parity(fast, oracle)


@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("shape", [(96, 96), (61, 97), (300, 301), (1, 1), (2, 3), (1, 40000)])
def test_any_size_equals_the_float64_definition(convention: str, shape: tuple[int, int]) -> None:
    tiles = large_phantom(*shape)
    fast, oracle = (
        MacenkoNormalizer(convention, name).normalize(tiles) for name in ("cpu", "numpy")
    )
    assert_parity(fast, oracle)


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_percentiles_are_the_definitions_own(convention: str) -> None:
    constants = find_convention(convention)
    tiles = phantom_batch("beta", 5)
    fused, plain = CpuPixels.of(tiles, constants), ArrayPixels.of(tiles, constants, np.float64)
    turns = np.linalg.qr(np.random.default_rng(0).normal(size=(5, 3, 3)))[0]
    # Planes that the data do not lie along: angles all round the circle.
    plane = np.ascontiguousarray(turns[:, :2])
    levels = (1.0, 99.0)
    np.testing.assert_allclose(
        fused.angle_percentiles(plane, levels), plain.angle_percentiles(plane, levels), atol=2e-6
    )
    inverse = np.ascontiguousarray(turns[:, 1:] * 7)
    np.testing.assert_allclose(
        fused.concentration_percentiles(inverse, 99.0),
        plain.concentration_percentiles(inverse, 99.0),
        atol=1e-5,
    )


@pytest.mark.parametrize("side", [96, 300])
@pytest.mark.parametrize("workers", [1, 2])
def test_percentiles_are_exact_where_the_sampled_pixels_mislead(side: int, workers: int) -> None:
    constants = find_convention("torchstain")
    tile = large_phantom(side, side)
    flat = tile.reshape(1, 3, side * side)
    # Whatever is looked at first is darker than all the rest, or another color.
    flat[:, :, :: stride_of(side * side)] = np.array([90, 20, 60], np.uint8)[:, None]
    fused, plain = (
        CpuPixels.of(tile, constants, workers),
        ArrayPixels.of(tile, constants, np.float64),
    )
    plane = np.array([[[0.6, 0.7, 0.38], [-0.7, 0.68, -0.2]]])
    for levels in ((1.0, 99.0), (40.0, 60.0)):
        np.testing.assert_allclose(
            fused.angle_percentiles(plane, levels),
            plain.angle_percentiles(plane, levels),
            atol=2e-6,
        )
    inverse = np.array([[[2.0, -1.0, 0.3], [-1.2, 1.6, 0.4]]])
    for level in (50.0, 90.0):
        np.testing.assert_allclose(
            fused.concentration_percentiles(inverse, level),
            plain.concentration_percentiles(inverse, level),
            atol=1e-5,
        )


def test_the_computed_logarithm_is_the_table_s() -> None:
    grey = np.tile(np.arange(256, dtype=np.uint8), (1, 3, 1))[..., None]
    for constants in CONVENTIONS.values():
        pixels = CpuPixels.of(grey, constants)
        density = np.empty((3, cpu_passes.BLOCK_PX), np.float32)
        cpu_passes.compute_density(pixels.tiles[0], 0, 256, pixels.optics, density)
        np.testing.assert_allclose(density[0, :256], density_table(constants), atol=4e-7)


def test_a_tile_is_the_same_alone_in_a_batch_and_in_any_layout() -> None:
    tiles = phantom_batch("gamma", 9)
    normalizer = MacenkoNormalizer(backend="cpu")
    together = normalizer.normalize(tiles).tiles
    alone = np.concatenate([normalizer.normalize(tile[None]).tiles for tile in tiles])
    np.testing.assert_array_equal(together, alone)
    channels_last = np.ascontiguousarray(tiles.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    np.testing.assert_array_equal(normalizer.normalize(channels_last).tiles, together)
    mirrored = tiles[:, :, ::-1]
    np.testing.assert_array_equal(normalizer.normalize(mirrored).tiles, together[:, :, ::-1])
    tensor = torch.from_numpy(tiles).contiguous(memory_format=torch.channels_last)
    result = normalizer.normalize(tensor)
    assert isinstance(result.tiles, torch.Tensor)
    np.testing.assert_array_equal(result.tiles.numpy(), together)


@pytest.mark.parametrize("tiles", [phantom_batch("alpha", 7), large_phantom(400, 333)])
@pytest.mark.parametrize("convention", CONVENTIONS)
def test_the_number_of_threads_changes_no_byte(tiles: Tiles, convention: str) -> None:
    constants = find_convention(convention)
    found = []
    for workers in (1, 2, 5):
        pixels = CpuPixels.of(tiles, constants, workers)
        estimate = estimate_stains(pixels, constants, DEFAULT_GUARDS)
        matrices = np.repeat(np.eye(3)[None] * 1.3, len(tiles), axis=0)
        light, clipped = pixels.transform(matrices, np.zeros(len(tiles), bool))
        found.append([*vars(estimate).values(), light, clipped])
    for other in found[1:]:
        for mine, theirs in zip(found[0], other, strict=True):
            np.testing.assert_array_equal(mine, theirs)


def test_every_grey_level_of_every_strength_is_rounded_right() -> None:
    grey = np.arange(256, dtype=np.uint8)
    tile = np.stack([grey, grey[::-1], np.roll(grey, 77)])[None, :, None, :]
    constants = replace(find_convention("torchstain"), transmitted_light=245.0)
    for strength in (0.2, 0.9, 1.0, 1.4, 3.0):
        matrices = np.eye(3)[None] * strength
        keep = np.zeros(1, bool)
        fused, _ = CpuPixels.of(tile, constants).transform(matrices, keep)
        plain, _ = ArrayPixels.of(tile, constants, np.float64).transform(matrices, keep)
        assert np.abs(fused - plain).max() <= 0.52


def test_compiled_code_needs_no_place_to_be_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    assert cpu_passes.can_cache()
    monkeypatch.setattr(caching.CacheImpl, "_locator_classes", [])
    assert not cpu_passes.can_cache()


def test_kept_code_is_compiled_again_after_an_edit_of_any_of_its_files() -> None:
    for function in (cpu_passes.apply_matrix, cpu_loops.transform_units):
        kept: Any = function
        stamp = kept._cache._cache_file._source_stamp  # noqa: SLF001
        assert stamp == cpu_passes.sources_of_kernels()
    folder = Path(cpu_passes.__file__).parent
    content = b"".join(
        (folder / f"{name}.py").read_bytes() for name in ("cpu", "cpu_loops", "cpu_passes")
    )
    assert cpu_passes.sources_of_kernels() == hashlib.sha256(content).hexdigest()


@pytest.mark.slow
def test_a_tile_of_4096_pixels_a_side() -> None:
    tile = np.tile(large_phantom(512, 512), (1, 1, 8, 8))
    result = MacenkoNormalizer(backend="cpu").normalize(tile)
    small = MacenkoNormalizer(backend="cpu").normalize(tile[:, :, :512, :512])
    assert result.status[0] == "ok"
    # The same pixels 64 times over have the same percentiles but for their last digits.
    np.testing.assert_allclose(result.stain_matrices, small.stain_matrices, atol=1e-4)
