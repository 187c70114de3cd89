from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchstain
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from histocli.data.phantom import PHANTOM_SCANNERS, phantom_tile
from histocli.errors import InputError
from histocli.stain import ReinhardNormalizer
from histocli.stain.color_reference import PUBLISHED_COLOR_REFERENCE, ColorReference
from histocli.stain.color_spaces import lab_from_grey_levels
from histocli.stain.context import EstimateSource
from histocli.stain.reinhard import (
    ColorStatistics,
    apply_color_statistics,
    as_colors,
    color_stretch,
    estimate_color_statistics,
)
from histocli.stain.status import DEFAULT_GUARDS, StainStatus, worse_of

# The grey level at which -ln((I + 1) / 240) is 0.15.
DARK = 205.57


def phantom_batch(scanner: str = "alpha", count: int = 6) -> NDArray[np.uint8]:
    tiles = [
        phantom_tile("normal", PHANTOM_SCANNERS[scanner], np.random.default_rng(i)).pixels
        for i in range(count)
    ]
    return np.stack(tiles).transpose(0, 3, 1, 2).copy()


def normalized(
    tiles: NDArray[np.uint8],
    reference: ColorReference = PUBLISHED_COLOR_REFERENCE,
    dtype: torch.dtype | None = torch.float32,
    *,
    tissue_only: bool = False,
) -> tuple[NDArray[Any], NDArray[np.int64], ColorStatistics]:
    """Grey levels before rounding, status and statistics; by NumPy where there is no dtype of torch."""
    flat: Any = tiles.reshape(len(tiles), 3, -1).astype(np.float64)
    flat = flat if dtype is None else torch.from_numpy(flat).to(dtype)
    tissue = (flat <= DARK).all(1)
    found = estimate_color_statistics(flat, tissue, DEFAULT_GUARDS, tissue_only=tissue_only)
    target_means, target_deviations = as_colors([reference], found.means)
    stretch = color_stretch(found.standard_deviations, target_deviations)
    status = found.status_codes
    usable = (status == int(StainStatus.OK)) & (stretch <= DEFAULT_GUARDS.concentration_scale).all(
        1
    )
    status = worse_of(status, ~usable, StainStatus.ILL_CONDITIONED)
    changeable = usable[:, None] & (tissue if tissue_only else tissue | ~tissue)
    light = apply_color_statistics(flat, found.means, stretch, target_means, changeable)
    return np.asarray(light).reshape(tiles.shape), np.asarray(status), found


def by_torchstain(tile: NDArray[np.uint8]) -> NDArray[np.int64]:
    peer = torchstain.normalizers.ReinhardNormalizer(backend="numpy", method=None)
    peer.target_means = np.array(PUBLISHED_COLOR_REFERENCE.means, np.float32)
    peer.target_stds = np.array(PUBLISHED_COLOR_REFERENCE.standard_deviations, np.float32)
    theirs = peer.normalize(np.ascontiguousarray(tile.transpose(1, 2, 0)))
    return np.asarray(theirs.transpose(2, 0, 1).astype(np.int64))


@pytest.mark.parametrize("scanner", list(PHANTOM_SCANNERS))
def test_phantom_equals_torchstain_which_truncates(scanner: str) -> None:
    tiles = phantom_batch(scanner)
    ours, status, _ = normalized(tiles)
    assert (status == StainStatus.OK).all()
    theirs = np.stack([by_torchstain(tile) for tile in tiles])
    assert np.abs(np.round(ours) - theirs).max() <= 1
    assert (np.floor(ours) == theirs).mean() > 0.999


def test_real_tiles_equal_torchstain(real_tiles: NDArray[np.uint8]) -> None:
    tiles = real_tiles[::4]
    ours, status, _ = normalized(tiles)
    assert (status == StainStatus.OK).mean() > 0.95
    ok = status == StainStatus.OK
    theirs = np.stack([by_torchstain(tile) for tile in tiles[ok]])
    assert (np.abs(np.round(ours[ok]) - theirs) <= 1).mean() >= 0.9999


@pytest.mark.parametrize("tissue_only", [False, True])
def test_statistics_equal_numpy(tissue_only: bool) -> None:
    tiles = phantom_batch("gamma", 3)
    _, _, found = normalized(tiles, dtype=None, tissue_only=tissue_only)
    for index, tile in enumerate(tiles):
        flat = tile.reshape(3, -1).astype(np.float64)
        tissue = (flat <= DARK).all(axis=0)
        lab = lab_from_grey_levels(flat[None])[0][:, tissue if tissue_only else slice(None)]
        np.testing.assert_allclose(found.means[index], lab.mean(axis=1), atol=1e-9)
        np.testing.assert_allclose(found.standard_deviations[index], lab.std(axis=1), atol=1e-9)
        assert found.tissue_fraction[index] == tissue.mean()


def test_result_has_the_statistics_of_the_reference() -> None:
    reference = ColorReference((60.0, 15.0, -8.0), (8.0, 4.0, 3.0))
    light, _, _ = normalized(phantom_batch(), reference, dtype=None)
    again = lab_from_grey_levels(light.reshape(len(light), 3, -1))
    np.testing.assert_allclose(again.mean(axis=2), [reference.means] * 6, atol=0.02)
    np.testing.assert_allclose(again.std(axis=2), [reference.standard_deviations] * 6, atol=0.02)


def test_glass_stays_as_it_is_where_only_tissue_may_change() -> None:
    tiles = phantom_batch()
    tiles[:, :, :40, :] = 238
    light, status, _ = normalized(tiles, tissue_only=True)
    assert (status == StainStatus.OK).all()
    tissue = np.broadcast_to((tiles <= DARK).all(axis=1, keepdims=True), tiles.shape)
    np.testing.assert_array_equal(light[~tissue], tiles[~tissue])
    assert np.abs(light[tissue] - tiles[tissue]).mean() > 3


def test_float32_equals_float64(real_tiles: NDArray[np.uint8]) -> None:
    tiles = real_tiles[::8]
    fast, fast_status, _ = normalized(tiles)
    exact, status, _ = normalized(tiles, dtype=None)
    np.testing.assert_array_equal(fast_status, status)
    assert np.abs(fast - exact).max() < 0.1
    assert np.abs(fast - exact).mean() < 1e-3


@pytest.mark.parametrize("size", [96, 23])
@pytest.mark.parametrize("tissue_only", [False, True])
def test_a_tile_is_the_same_alone_and_in_a_batch(size: int, tissue_only: bool) -> None:
    tiles = phantom_batch("beta")[:, :, :size, :size]
    together, _, _ = normalized(tiles, tissue_only=tissue_only)
    for index, tile in enumerate(tiles):
        alone, _, _ = normalized(tile[None], tissue_only=tissue_only)
        np.testing.assert_array_equal(alone[0], together[index])


def flat_tile(red: int, green: int, blue: int) -> NDArray[np.uint8]:
    return np.broadcast_to(np.array([red, green, blue], np.uint8)[:, None, None], (3, 32, 32))


NEARLY_CONSTANT = flat_tile(90, 60, 140).copy()
NEARLY_CONSTANT[:, 5, 5] += 3
FEW = np.full((3, 64, 64), 245, np.uint8)
FEW[:, 0, :8] = np.random.default_rng(0).integers(20, 120, (3, 8))
NOISE = np.random.default_rng(0).integers(0, 256, (1, 32, 32)).astype(np.uint8)
HOPELESS = {
    "white": (flat_tile(255, 255, 255), StainStatus.BLANK),
    "pink": (flat_tile(220, 150, 190), StainStatus.BLANK),
    "few": (FEW, StainStatus.LOW_TISSUE),
    "black": (flat_tile(0, 0, 0), StainStatus.ILL_CONDITIONED),
    "one color": (flat_tile(90, 60, 140), StainStatus.ILL_CONDITIONED),
    "nearly constant": (NEARLY_CONSTANT, StainStatus.ILL_CONDITIONED),
    "grey noise": (np.repeat(NOISE, 3, axis=0), StainStatus.ILL_CONDITIONED),
    "one pixel": (flat_tile(120, 60, 140)[:, :1, :1], StainStatus.LOW_TISSUE),
}


@pytest.mark.parametrize("name", HOPELESS)
@pytest.mark.parametrize("dtype", [None, torch.float32])
@pytest.mark.parametrize("tissue_only", [False, True])
def test_a_tile_without_usable_colors_stays_as_it_is(
    name: str, dtype: torch.dtype | None, tissue_only: bool
) -> None:
    tile, expected = HOPELESS[name]
    light, status, _ = normalized(tile[None], dtype=dtype, tissue_only=tissue_only)
    assert StainStatus(int(status[0])) is expected
    np.testing.assert_array_equal(light[0], tile)


@settings(max_examples=60, deadline=None)
@given(
    tile=arrays(np.uint8, st.tuples(st.just(3), st.integers(1, 9), st.integers(1, 9))),
    tissue_only=st.booleans(),
)
def test_every_tile_is_finite(tile: NDArray[np.uint8], tissue_only: bool) -> None:
    light, status, found = normalized(tile[None], tissue_only=tissue_only)
    assert np.isfinite(light).all()
    assert light.min() >= 0
    assert light.max() <= 255
    assert torch.isfinite(found.means).all()
    assert torch.isfinite(found.standard_deviations).all()
    if status[0] != StainStatus.OK:
        np.testing.assert_array_equal(light[0], tile)


def test_reference_comes_back_from_its_file(tmp_path: Path) -> None:
    PUBLISHED_COLOR_REFERENCE.save(tmp_path / "colors.json")
    assert ColorReference.load(tmp_path / "colors.json") == PUBLISHED_COLOR_REFERENCE


@pytest.mark.parametrize(
    "content",
    [
        "[]",
        '{"means": [1, 2]}',
        '{"means": [1, 2, 3], "standard_deviations": [1, 0, 1]}',
        '{"means": [1, NaN, 3], "standard_deviations": [1, 1, 1]}',
        '{"means": [1, 2, 3], "standard_deviations": [1, 1, Infinity]}',
    ],
)
def test_a_broken_reference_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "colors.json"
    path.write_text(content)
    with pytest.raises(InputError, match=r"colors\.json"):
        ColorReference.load(path)


@pytest.mark.gpu
def test_cuda_equals_the_cpu() -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    tiles = torch.from_numpy(phantom_batch())
    here = ReinhardNormalizer().normalize(tiles)
    there = ReinhardNormalizer().normalize(tiles.cuda())
    assert (there.status == "ok").all()
    assert (there.tiles.cpu().int() - here.tiles.int()).abs().max() <= 1


def test_a_chain_goes_on_where_the_tile_itself_cannot_be_stretched() -> None:
    dull = phantom_batch(count=1).astype(float)
    mean = dull.mean(axis=(2, 3), keepdims=True)
    dull = np.rint(mean + (dull - mean) * 0.02).astype(np.uint8)
    data_set = {EstimateSource.DATASET: [PUBLISHED_COLOR_REFERENCE]}
    result = ReinhardNormalizer(context="tile,dataset").normalize(dull, data_set)
    assert result.status[0] == "ill_conditioned"
    assert result.used[0] == "dataset"


def test_without_a_group_a_good_tile_keeps_its_own_status() -> None:
    tiles = phantom_batch(count=1)
    result = ReinhardNormalizer(context="group").normalize(tiles)
    assert (result.status[0], result.used[0]) == ("ok", "identity")
    np.testing.assert_array_equal(result.tiles, tiles)


def test_each_tile_can_have_a_reference_of_its_own() -> None:
    tiles = phantom_batch(count=4)
    other = ColorReference((50.0, 20.0, -20.0), (12.0, 9.0, 7.0))
    targets = [PUBLISHED_COLOR_REFERENCE, other, other, PUBLISHED_COLOR_REFERENCE]
    mixed = ReinhardNormalizer().normalize(tiles, references=targets).tiles
    for index, target in enumerate(targets):
        alone = ReinhardNormalizer(reference=target).normalize(tiles[index : index + 1]).tiles
        np.testing.assert_array_equal(mixed[index], alone[0])
