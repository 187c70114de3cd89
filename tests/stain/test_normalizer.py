import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchstain
from numpy.typing import NDArray

from histocli.data.layouts import open_source
from histocli.data.phantom import PHANTOM_SCANNERS
from histocli.errors import InputError, SettingsError
from histocli.stain import PUBLISHED_REFERENCE, MacenkoNormalizer, StainReference
from histocli.stain.batches import StainImage
from histocli.stain.context import EstimateSource
from histocli.stain.conventions import CONVENTIONS
from histocli.stain.normalizers import NORMALIZERS, find_normalizer
from histocli.stain.status import Guards
from tests.reference.macenko_float64 import normalized, stains_of
from tests.stain.synthetic import HOPELESS, phantom_batch


def degrees_between(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    cosine = (one * other).sum(axis=0) / np.linalg.norm(one, axis=0) / np.linalg.norm(other, axis=0)
    return np.asarray(np.degrees(np.arccos(np.clip(cosine, -1, 1))))


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
    assert np.isfinite(result.stain_matrices).all()
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


@pytest.mark.parametrize("name", HOPELESS)
@pytest.mark.parametrize("backend", ["numpy", "torch", "cpu"])
def test_a_tile_without_usable_stain_comes_back_as_it_was(name: str, backend: str) -> None:
    tile, status = HOPELESS[name]
    result = MacenkoNormalizer(backend=backend).normalize(tile[None])
    assert result.status[0] == status
    assert result.used[0] == "identity"
    np.testing.assert_array_equal(result.tiles[0], tile)
    reference = MacenkoNormalizer().reference
    np.testing.assert_allclose(result.stain_matrices[0], reference.stain_matrix, atol=1e-6)
    np.testing.assert_allclose(
        result.maximum_concentrations[0], reference.maximum_concentrations, rtol=1e-6
    )


@pytest.mark.parametrize("method", NORMALIZERS)
@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("image", ["normalized", "hematoxylin", "eosin"])
def test_nothing_fails_and_glass_stays_glass(
    method: str, convention: str, image: StainImage
) -> None:
    if method == "reinhard" and image != "normalized":
        pytest.skip("Reinhard's method knows no stains")
    normalizer = find_normalizer(method)(convention=convention)
    tiles = [tile for tile, _ in HOPELESS.values()]
    tiles += [saturated(), np.zeros((3, 7, 5), np.uint8), phantom_batch("beta", 1)[0]]
    for tile in tiles:
        result = normalizer.normalize(tile[None], image=image)
        assert result.tiles.shape == tile[None].shape
        if method != "reinhard":
            assert np.isfinite(result.stain_matrices).all()
            assert np.isfinite(result.maximum_concentrations).all()
        assert np.isfinite(result.tissue_fraction).all()
        if result.status[0] == "blank":
            np.testing.assert_array_equal(result.tiles[0], tile)


def saturated() -> NDArray[np.uint8]:
    """Half of the pixels black, half white, and every primary color."""
    colors = np.array([[0, 0, 0], [255, 255, 255], [255, 0, 0], [0, 255, 0], [0, 0, 255]], np.uint8)
    return colors[np.random.default_rng(2).integers(0, 5, (40, 40))].transpose(2, 0, 1)


@pytest.mark.parametrize("method", NORMALIZERS)
@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("backend", ["numpy", "torch", "cpu"])
def test_no_tile_is_nothing_to_do(method: str, convention: str, backend: str) -> None:
    if method != "macenko" and backend == "cpu":
        pytest.skip("only Macenko's method has compiled loops")
    normalizer = find_normalizer(method)(convention=convention, backend=backend)
    result = normalizer.normalize(np.zeros((0, 3, 9, 9), np.uint8))
    assert result.tiles.shape == (0, 3, 9, 9)
    assert len(result.status) == len(result.stain_matrices) == 0


@pytest.mark.parametrize("method", NORMALIZERS)
def test_what_is_wrong_is_said(method: str) -> None:
    kind = find_normalizer(method)
    for wrong in ({"convention": "x"}, {"backend": "x"}, {"context": "x"}):
        with pytest.raises(SettingsError, match="x"):
            kind(**wrong)
    tiles = phantom_batch("alpha", 3)
    reference: Any = kind().reference
    with pytest.raises(ValueError, match="no pixels"):
        kind().normalize(tiles[:, :, :0])
    with pytest.raises(ValueError, match="channels first"):
        kind().normalize(tiles.transpose(0, 2, 3, 1))
    with pytest.raises(ValueError, match="channels first"):
        kind().fit(tiles[0].transpose(1, 2, 0))
    with pytest.raises(ValueError, match="2 given for 3 tiles"):
        kind().normalize(tiles, references=[reference] * 2)
    with pytest.raises(ValueError, match="2 given for 3 tiles"):
        kind().normalize(tiles, {EstimateSource.GROUP: [reference] * 2})
    with pytest.raises(SettingsError, match="Eosin"):
        kind().normalize(tiles, image="Eosin")  # type: ignore[arg-type]


def test_one_reference_serves_a_batch_of_several_portions() -> None:
    tiles = phantom_batch("alpha", 70)
    target = PUBLISHED_REFERENCE
    normalizer = MacenkoNormalizer(backend="torch")
    np.testing.assert_array_equal(
        normalizer.normalize(tiles, references=[target]).tiles, normalizer.normalize(tiles).tiles
    )


@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("backend", ["torch", "cpu"])
def test_saturated_noise_has_the_definitions_output(convention: str, backend: str) -> None:
    colors = np.array([0, 255], np.uint8)
    tiles = colors[np.random.default_rng(0).integers(0, 2, (60, 3, 24, 24))]
    fast, oracle = (
        MacenkoNormalizer(convention, name).normalize(tiles) for name in (backend, "numpy")
    )
    np.testing.assert_array_equal(fast.status, oracle.status)
    np.testing.assert_array_equal(fast.used, oracle.used)


@pytest.mark.parametrize("side", [16, 24, 32, 64, 96])
def test_eight_pixels_of_tissue_are_little_tissue_whatever_the_size(side: int) -> None:
    tile = np.full((1, 3, side, side), 245, np.uint8)
    tile[0, :, 0, :8] = np.random.default_rng(0).integers(20, 120, (3, 8))
    for backend in ("numpy", "torch", "cpu"):
        result = MacenkoNormalizer(backend=backend).normalize(tile)
        assert (result.status[0], result.used[0]) == ("low_tissue", "identity")


def test_vahadane_says_why_it_left_a_tile_alone() -> None:
    where = np.random.default_rng(0).random((1, 64, 64)) < 0.5
    one, other = (np.array(c, np.uint8)[:, None, None] for c in ((120, 60, 140), (200, 120, 170)))
    tile = np.where(where, one, other)[None]
    result = find_normalizer("vahadane")().normalize(tile)
    assert result.used[0] != "identity" or result.status[0] != "ok"


def test_a_stain_that_left_the_range_is_called_clipped() -> None:
    tiles = phantom_batch("alpha", 2)
    strong = replace(PUBLISHED_REFERENCE, maximum_concentrations=(20.0, 15.0))
    result = MacenkoNormalizer(
        reference=strong, guards=Guards(concentration_scale=50, doubtful_scale=40)
    ).normalize(tiles)
    assert (result.status == "clipped").all()
    assert (result.used == "tile").all()
    kept = MacenkoNormalizer(reference=strong).normalize(tiles)
    assert (kept.status == "ill_conditioned").all()
    assert (kept.used == "identity").all()


def test_images_of_the_stains_add_up_to_the_normalized_tile() -> None:
    tiles = phantom_batch("gamma", 3)
    normalizer = MacenkoNormalizer(backend="numpy")
    whole, hematoxylin, eosin = (
        240.0 / np.clip(normalizer.normalize(tiles, image=image).tiles.astype(float), 1, None)
        for image in ("normalized", "hematoxylin", "eosin")
    )
    product = hematoxylin * eosin
    inside = (whole > 1.1) & (whole < 8)
    assert np.abs(np.log(product[inside] / whole[inside])).mean() < 0.01


def test_every_real_tile_is_finite_and_keeps_its_structure(pcam: Path) -> None:
    source = open_source(pcam / "valid")
    used: list[str] = []
    for start in range(0, len(source.tiles), 250):
        chunk = range(start, min(start + 250, len(source.tiles)))
        tiles = np.stack([source.read(i) for i in chunk]).transpose(0, 3, 1, 2).copy()
        result = MacenkoNormalizer().normalize(tiles)
        varies_before = tiles.reshape(len(tiles), -1).std(axis=1) > 1
        varies_after = result.tiles.reshape(len(tiles), -1).std(axis=1) > 0
        assert varies_after[varies_before].all()
        sound = np.asarray(result.tissue_fraction) >= 0.05
        used.extend(result.used[sound])
    assert np.mean(np.array(used) != "tile") <= 0.002


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
