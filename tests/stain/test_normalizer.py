import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
import torchstain
from numpy.typing import NDArray

from histocli.data.layouts import open_source
from histocli.data.phantom import PHANTOM_SCANNERS, PhantomKind, phantom_tile
from histocli.errors import InputError, SettingsError
from histocli.stain import MacenkoNormalizer, StainReference
from tests.reference.macenko_float64 import normalized, stains_of


def degrees_between(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    cosine = (one * other).sum(axis=0) / np.linalg.norm(one, axis=0) / np.linalg.norm(other, axis=0)
    return np.asarray(np.degrees(np.arccos(np.clip(cosine, -1, 1))))


def phantom_batch(scanner: str, count: int = 12) -> NDArray[np.uint8]:
    kinds: tuple[PhantomKind, PhantomKind] = ("normal", "tumor")
    tiles = [
        phantom_tile(kinds[i % 2], PHANTOM_SCANNERS[scanner], np.random.default_rng(i)).pixels
        for i in range(count)
    ]
    return np.stack(tiles).transpose(0, 3, 1, 2).copy()


@pytest.mark.parametrize("scanner", list(PHANTOM_SCANNERS))
def test_stain_matrix_of_the_phantom_is_recovered_within_two_degrees(scanner: str) -> None:
    result = MacenkoNormalizer().normalize(phantom_batch(scanner))
    assert (result.status == "ok").all()
    truth = np.asarray(PHANTOM_SCANNERS[scanner].stain_matrix, np.float64)
    mean = np.asarray(result.stain_matrices, np.float64).mean(axis=0)
    assert degrees_between(mean, truth).max() < 2.0
    each = [degrees_between(matrix, truth).max() for matrix in result.stain_matrices]
    assert np.median(each) < 2.0


@pytest.mark.parametrize("backend", ["numpy", "torch"])
def test_definition_equals_the_slow_obvious_one(backend: str) -> None:
    tiles = phantom_batch("alpha", 4)
    result = MacenkoNormalizer(backend=backend).normalize(tiles)
    for index, tile in enumerate(tiles):
        assert degrees_between(result.stain_matrices[index], stains_of(tile)).max() < 0.01
        difference = np.abs(result.tiles[index] - normalized(tile))
        assert difference.max() < (0.51 if backend == "numpy" else 1.0)


def test_normalized_real_tiles_equal_torchstain_within_one_grey_level(
    real_tiles: NDArray[np.uint8],
) -> None:
    result = MacenkoNormalizer().normalize(real_tiles)
    assert np.isfinite(result.stain_matrices[result.status == "ok"]).all()
    peer = torchstain.normalizers.MacenkoNormalizer(backend="numpy")
    same = total = 0
    for index, tile in enumerate(real_tiles):
        if result.tissue_fraction[index] < 0.05:
            continue
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                theirs, _, _ = peer.normalize(I=tile.transpose(1, 2, 0), stains=False)
        except (ValueError, np.linalg.LinAlgError):
            continue
        difference = np.abs(theirs.transpose(2, 0, 1).astype(int) - result.tiles[index].astype(int))
        same += int((difference <= 1).sum())
        total += difference.size
    assert total > 100 * real_tiles[0].size
    assert same / total >= 0.995


def test_float32_equals_float64_within_one_grey_level(real_tiles: NDArray[np.uint8]) -> None:
    fast, oracle = (MacenkoNormalizer(backend=b).normalize(real_tiles) for b in ("torch", "numpy"))
    assert (fast.status == oracle.status).all()
    difference = np.abs(fast.tiles.astype(int) - oracle.tiles.astype(int))
    assert difference.max() <= 1
    assert (difference > 0).mean() < 1e-3


def test_a_tile_is_the_same_alone_and_in_a_batch() -> None:
    tiles = phantom_batch("beta", 7)
    together = MacenkoNormalizer().normalize(tiles).tiles
    alone = np.concatenate([MacenkoNormalizer().normalize(t[None]).tiles for t in tiles])
    np.testing.assert_array_equal(together, alone)


def test_turning_a_tile_turns_the_result() -> None:
    tiles = phantom_batch("alpha", 3)
    turned = np.rot90(tiles, 1, axes=(2, 3))
    once = MacenkoNormalizer(backend="numpy").normalize(turned).tiles
    np.testing.assert_array_equal(
        once, np.rot90(MacenkoNormalizer(backend="numpy").normalize(tiles).tiles, 1, axes=(2, 3))
    )


def test_kind_and_layout_of_the_array_come_back() -> None:
    tiles = phantom_batch("alpha", 2)
    tensor = torch.from_numpy(tiles)
    result = MacenkoNormalizer().normalize(tensor)
    assert isinstance(result.tiles, torch.Tensor)
    channels_last = tensor.contiguous(memory_format=torch.channels_last)
    assert torch.equal(MacenkoNormalizer().normalize(channels_last).tiles, result.tiles)
    read_only = tiles[:, :, ::-1, :]
    read_only.flags.writeable = False
    assert isinstance(MacenkoNormalizer().normalize(read_only).tiles, np.ndarray)


HOPELESS = {
    "white": np.full((3, 32, 32), 255, np.uint8),
    "black": np.zeros((3, 32, 32), np.uint8),
    "pink": np.broadcast_to(np.array([220, 150, 190], np.uint8)[:, None, None], (3, 32, 32)),
    "one colour": np.broadcast_to(np.array([90, 60, 140], np.uint8)[:, None, None], (3, 32, 32)),
    "grey noise": np.repeat(
        np.random.default_rng(0).integers(0, 256, (1, 32, 32)).astype(np.uint8), 3, axis=0
    ),
    "one pixel": np.array([120, 60, 140], np.uint8).reshape(3, 1, 1),
}


@pytest.mark.parametrize("name", HOPELESS)
@pytest.mark.parametrize("backend", ["numpy", "torch"])
def test_a_tile_without_usable_stain_comes_back_as_it_was(name: str, backend: str) -> None:
    tile = HOPELESS[name][None]
    result = MacenkoNormalizer(backend=backend).normalize(tile)
    assert result.status[0] != "ok"
    np.testing.assert_array_equal(result.tiles, tile)
    assert np.isnan(result.stain_matrices).all()


def test_eight_tissue_pixels_are_too_few() -> None:
    tile = np.full((1, 3, 64, 64), 245, np.uint8)
    tile[0, :, 0, :8] = np.random.default_rng(0).integers(20, 120, (3, 8))
    result = MacenkoNormalizer().normalize(tile)
    assert result.status[0] == "low_tissue"
    np.testing.assert_array_equal(result.tiles, tile)


def test_every_real_tile_is_finite_and_keeps_its_structure(pcam: Path) -> None:
    source = open_source(pcam / "valid")
    for start in range(0, len(source.tiles), 250):
        chunk = range(start, min(start + 250, len(source.tiles)))
        tiles = np.stack([source.read(i) for i in chunk]).transpose(0, 3, 1, 2).copy()
        result = MacenkoNormalizer().normalize(tiles)
        varies_before = tiles.reshape(len(tiles), -1).std(axis=1) > 1
        varies_after = result.tiles.reshape(len(tiles), -1).std(axis=1) > 0
        assert varies_after[varies_before].all()
        sound = np.asarray(result.tissue_fraction) >= 0.05
        assert (result.status[sound] != "ok").mean() <= 0.01


def test_fitting_takes_the_stain_of_an_image(tmp_path: Path) -> None:
    image = phantom_batch("beta", 1)[0]
    fitted = MacenkoNormalizer().fit(image)
    truth = np.asarray(PHANTOM_SCANNERS["beta"].stain_matrix, np.float64)
    assert degrees_between(np.array(fitted.reference.stain_matrix), truth).max() < 4
    unchanged = np.abs(fitted.normalize(image[None]).tiles[0].astype(int) - image) <= 3
    assert unchanged.mean() > 0.999
    fitted.reference.save(tmp_path / "reference.json")
    assert StainReference.load(tmp_path / "reference.json") == fitted.reference


def test_an_image_without_stain_is_no_reference() -> None:
    with pytest.raises(ValueError, match="no usable stain"):
        MacenkoNormalizer().fit(np.full((3, 16, 16), 255, np.uint8))


def test_a_broken_reference_is_named(tmp_path: Path) -> None:
    path = tmp_path / "reference.json"
    path.write_text('{"stain_matrix": [[1, 2]]}')
    with pytest.raises(InputError, match=r"reference\.json"):
        StainReference.load(path)


def test_wrong_arrays_are_refused() -> None:
    with pytest.raises(ValueError, match="shape"):
        MacenkoNormalizer().normalize(np.zeros((2, 32, 32, 3), np.uint8))
    with pytest.raises(ValueError, match="uint8"):
        MacenkoNormalizer().normalize(np.zeros((2, 3, 32, 32), np.float32))
    with pytest.raises(SettingsError, match="unknown stain backend"):
        MacenkoNormalizer(backend="jax").normalize(np.zeros((1, 3, 4, 4), np.uint8))


@pytest.mark.gpu
def test_cuda_equals_the_cpu_within_one_grey_level() -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    tiles = phantom_batch("alpha", 16)
    on_cpu = MacenkoNormalizer().normalize(tiles)
    on_gpu = MacenkoNormalizer().normalize(torch.from_numpy(tiles).cuda())
    difference = np.abs(on_gpu.tiles.cpu().numpy().astype(int) - on_cpu.tiles.astype(int))
    assert difference.max() <= 1
    assert (on_gpu.status == on_cpu.status).all()
