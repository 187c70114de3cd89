import warnings
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from sklearn.decomposition import MiniBatchDictionaryLearning, sparse_encode

from histocli.data.phantom import PHANTOM_SCANNERS, PhantomKind, phantom_tile
from histocli.stain import macenko, vahadane
from histocli.stain.conventions import find_convention
from histocli.stain.macenko import StainEstimate
from histocli.stain.pixels import ArrayPixels
from histocli.stain.status import DEFAULT_GUARDS, StainStatus

CONVENTION = find_convention("torchstain")


def estimate(tiles: NDArray[np.uint8], dtype: torch.dtype | None = torch.float32) -> StainEstimate:
    """By torch, or by NumPy in float64 where there is no dtype of torch."""
    opened = (
        ArrayPixels.of(tiles, CONVENTION, np.float64)
        if dtype is None
        else ArrayPixels.of(torch.from_numpy(tiles.copy()), CONVENTION, dtype)
    )
    found = vahadane.estimate_stains(opened, CONVENTION, DEFAULT_GUARDS)
    return StainEstimate(*(np.asarray(value) for value in vars(found).values()))


def phantom_batch(scanner: str, count: int = 12) -> NDArray[np.uint8]:
    kinds: tuple[PhantomKind, PhantomKind] = ("normal", "tumor")
    tiles = [
        phantom_tile(kinds[i % 2], PHANTOM_SCANNERS[scanner], np.random.default_rng(i)).pixels
        for i in range(count)
    ]
    return np.stack(tiles).transpose(0, 3, 1, 2).copy()


def tissue_of(tile: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Optical density of the tissue pixels, shape (P, 3)."""
    density = -np.log((tile.reshape(3, -1).T.astype(np.float64) + 1) / 240)
    return np.asarray(density[(density >= 0.15).all(axis=1)])


def objective(dictionary: NDArray[np.float64], density: NDArray[np.float64]) -> float:
    """What Vahadane's method minimizes, by scikit-learn's codes."""
    codes = sparse_encode(density, dictionary, algorithm="lasso_cd", alpha=0.1, positive=True)
    return float(((density - codes @ dictionary) ** 2).sum() / 2 + 0.1 * codes.sum())


def degrees_between(one: NDArray[Any], other: NDArray[Any]) -> NDArray[np.float64]:
    return np.asarray(np.degrees(np.arccos(np.clip((one * other).sum(axis=-2), -1, 1))))


@pytest.mark.parametrize("scanner", list(PHANTOM_SCANNERS))
def test_stain_matrix_of_the_phantom_is_recovered_within_three_degrees(scanner: str) -> None:
    found = estimate(phantom_batch(scanner))
    assert (found.status_codes == StainStatus.OK).all()
    assert found.usable.all()
    truth = np.asarray(PHANTOM_SCANNERS[scanner].stain_matrix, np.float64)
    apart = degrees_between(found.stain_matrices, truth)
    assert apart.max() < 3
    assert np.median(apart) < 2
    assert (found.maximum_concentrations > 0.3).all()


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_codes_are_those_of_scikit_learn(seed: int) -> None:
    generator = np.random.default_rng(seed)
    vectors = generator.random((2, 3)) + 0.01
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    assume(vectors[0] @ vectors[1] < vahadane.LARGEST_COSINE)
    density = generator.normal(0.3, 0.5, (200, 3))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = sparse_encode(
            density, vectors, algorithm="lasso_cd", alpha=0.1, positive=True, max_iter=100_000
        )
    ours = np.stack(vahadane.sparse_codes(vectors[None], density.T[None]))[:, 0].T
    value = [
        ((density - codes @ vectors) ** 2).sum(axis=1) / 2 + 0.1 * codes.sum(axis=1)
        for codes in (ours, theirs)
    ]
    assert (value[0] <= value[1] + 1e-9).all()
    if vectors[0] @ vectors[1] < 0.95:
        np.testing.assert_allclose(ours, theirs, atol=2e-3)


def learned_by_scikit_learn(density: NDArray[np.float64]) -> NDArray[np.float64]:
    peer = MiniBatchDictionaryLearning(
        n_components=2,
        alpha=0.1,
        batch_size=512,
        max_iter=10,
        fit_algorithm="cd",
        positive_code=True,
        positive_dict=True,
        random_state=0,
    )
    return np.asarray(peer.fit(density).components_)


@pytest.mark.parametrize("scanner", list(PHANTOM_SCANNERS))
def test_stains_explain_the_phantom_as_well_as_those_of_scikit_learn(scanner: str) -> None:
    tile = phantom_batch(scanner, 1)[:, :, :56, :56]
    density = tissue_of(tile[0])
    ours = estimate(tile).stain_matrices[0].T.astype(np.float64)
    assert objective(ours, density) <= 1.001 * objective(learned_by_scikit_learn(density), density)


def test_stains_explain_real_tiles_as_well_as_those_of_scikit_learn(
    real_tiles: NDArray[np.uint8],
) -> None:
    tiles = real_tiles[40::100, :, :56, :56]
    found = estimate(tiles)
    assert found.usable.all()
    for tile, matrix in zip(tiles, found.stain_matrices, strict=True):
        density, ours = tissue_of(tile), matrix.T.astype(np.float64)
        theirs = learned_by_scikit_learn(density)
        assert objective(ours, density) <= 1.001 * objective(theirs, density)


def test_float32_equals_float64(real_tiles: NDArray[np.uint8]) -> None:
    tiles = real_tiles[::8]
    fast, exact = estimate(tiles), estimate(tiles, None)
    np.testing.assert_array_equal(fast.status_codes, exact.status_codes)
    np.testing.assert_allclose(fast.stain_matrices, exact.stain_matrices, atol=1e-3)
    np.testing.assert_allclose(
        fast.maximum_concentrations, exact.maximum_concentrations, rtol=5e-3, atol=1e-3
    )


@pytest.mark.parametrize("size", [96, 24])
def test_a_tile_is_the_same_alone_and_in_a_batch(size: int) -> None:
    tiles = np.concatenate([phantom_batch("beta", 17), phantom_batch("alpha", 3)])
    tiles = tiles[:, :, :size, :size]
    together = estimate(tiles)
    for index in (0, 9, 16, 19):
        alone = estimate(tiles[index : index + 1])
        for one, many in zip(vars(alone).values(), vars(together).values(), strict=True):
            np.testing.assert_array_equal(one[0], many[index])


def test_stains_of_real_tiles_are_sound_and_lie_near_those_of_macenko(
    real_tiles: NDArray[np.uint8],
) -> None:
    real_tiles = real_tiles[::2]
    found = estimate(real_tiles)
    assert np.isfinite(found.stain_matrices).all()
    assert np.isfinite(found.maximum_concentrations).all()
    assert (found.stain_matrices[found.usable] >= 0).all()
    np.testing.assert_allclose(np.linalg.norm(found.stain_matrices, axis=1), 1, atol=1e-6)
    assert (found.stain_matrices[:, 0, 0] >= found.stain_matrices[:, 0, 1]).all()
    assert found.usable[found.tissue_fraction >= 0.05].mean() > 0.99
    opened = ArrayPixels.of(real_tiles, CONVENTION, np.float64)
    peer = macenko.estimate_stains(opened, CONVENTION, DEFAULT_GUARDS)
    both = found.usable & peer.usable
    apart = degrees_between(found.stain_matrices[both], peer.stain_matrices[both])
    assert np.median(apart) < 6


def stained(hematoxylin: float, eosin: float) -> NDArray[np.uint8]:
    """A phantom tile with a share of its hematoxylin and of its eosin."""
    truth = phantom_tile("normal", PHANTOM_SCANNERS["alpha"], np.random.default_rng(3))
    amount = truth.concentrations.sum(axis=-1, keepdims=True) + 0.2
    exposed = truth.scanner.expose(
        amount * np.array([hematoxylin, eosin]), np.random.default_rng(4)
    )
    return exposed.transpose(2, 0, 1)


def flat_tile(red: int, green: int, blue: int) -> NDArray[np.uint8]:
    return np.broadcast_to(np.array([red, green, blue], np.uint8)[:, None, None], (3, 32, 32))


FEW = np.full((3, 64, 64), 245, np.uint8)
FEW[:, 0, :8] = np.random.default_rng(0).integers(20, 120, (3, 8))
NOISE = np.random.default_rng(0).integers(0, 256, (1, 32, 32)).astype(np.uint8)
HOPELESS = {
    "white": (flat_tile(255, 255, 255), StainStatus.BLANK),
    "pink": (flat_tile(220, 150, 190), StainStatus.BLANK),
    "few": (FEW, StainStatus.LOW_TISSUE),
    "black": (flat_tile(0, 0, 0), StainStatus.SINGLE_STAIN),
    "one color": (flat_tile(90, 60, 140), StainStatus.SINGLE_STAIN),
    "grey noise": (np.repeat(NOISE, 3, axis=0), StainStatus.SINGLE_STAIN),
    "one pixel": (flat_tile(120, 60, 140)[:, :1, :1], StainStatus.LOW_TISSUE),
    "hematoxylin": (stained(1, 0), StainStatus.SINGLE_STAIN),
    "eosin": (stained(0, 1), StainStatus.SINGLE_STAIN),
}


@pytest.mark.parametrize("name", HOPELESS)
@pytest.mark.parametrize("dtype", [None, torch.float32])
def test_a_tile_without_two_stains_is_not_usable(name: str, dtype: torch.dtype | None) -> None:
    tile, expected = HOPELESS[name]
    found = estimate(tile[None], dtype)
    assert StainStatus(int(found.status_codes[0])) is expected
    assert not found.usable.any()
    assert np.isfinite(found.stain_matrices).all()
    assert np.isfinite(found.maximum_concentrations).all()


def test_a_saturated_tile_is_finite() -> None:
    tile = phantom_batch("alpha", 1)
    tile[tile < 150] = 0
    tile[tile > 180] = 255
    found = estimate(tile)
    assert np.isfinite(found.stain_matrices).all()
    assert np.isfinite(found.maximum_concentrations).all()


@settings(max_examples=40, deadline=None)
@given(tile=arrays(np.uint8, st.tuples(st.just(3), st.integers(1, 9), st.integers(1, 9))))
def test_every_tile_is_finite(tile: NDArray[np.uint8]) -> None:
    found = estimate(tile[None])
    assert np.isfinite(found.stain_matrices).all()
    assert np.isfinite(found.maximum_concentrations).all()


def test_sample_is_the_tissue_at_equal_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vahadane, "LARGEST_SAMPLE", 10)
    generator = np.random.default_rng(0)
    density = generator.random((3, 3, 50))
    tissue = generator.random((3, 50)) < np.array([[0.9], [0.1], [0.0]])
    sample = vahadane.tissue_sample(density, tissue)
    assert sample.shape == (3, 3, 10)
    for tile in range(3):
        there = density[tile][:, tissue[tile]]
        count = there.shape[1]
        expected = np.zeros((3, 10))
        if count > 10:
            expected = there[:, [place * count // 10 for place in range(10)]]
        else:
            expected[:, :count] = there
        np.testing.assert_array_equal(sample[tile], expected)


def test_a_sample_of_a_large_tile_gives_nearly_the_same_stains(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tiles = phantom_batch("gamma", 4)
    whole = estimate(tiles)
    monkeypatch.setattr(vahadane, "LARGEST_SAMPLE", 3000)
    sampled = estimate(tiles)
    assert degrees_between(sampled.stain_matrices, whole.stain_matrices).max() < 0.5


@pytest.mark.gpu
def test_cuda_equals_the_cpu() -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    tiles = torch.from_numpy(phantom_batch("alpha"))
    found = [
        vahadane.estimate_stains(
            ArrayPixels.of(tiles.to(device), CONVENTION, torch.float32), CONVENTION, DEFAULT_GUARDS
        )
        for device in ("cpu", "cuda")
    ]
    assert torch.equal(found[0].status_codes, found[1].status_codes.cpu())
    difference = found[0].stain_matrices - found[1].stain_matrices.cpu()
    assert difference.abs().max() < 1e-4
