"""The phantom tells the truth: its pixels follow from what it says of them."""

from typing import get_args

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from histocli.data.phantom import (
    PHANTOM_SCANNERS,
    PhantomKind,
    PhantomTile,
    Scanner,
    center_square,
    phantom_tile,
)
from histocli.errors import SettingsError
from histocli.stain import MacenkoNormalizer

KINDS: tuple[PhantomKind, ...] = get_args(PhantomKind)
SCANNERS = list(PHANTOM_SCANNERS.values())


def draw(kind: PhantomKind, seed: int, scanner: Scanner = SCANNERS[0]) -> PhantomTile:
    return phantom_tile(kind, scanner, np.random.default_rng([seed, 7]))


@pytest.mark.parametrize("scanner", SCANNERS, ids=lambda scanner: scanner.name)
def test_noise_free_light_inverts_to_the_stated_concentrations(scanner: Scanner) -> None:
    tile = draw("tumor", 1, scanner)
    light = scanner.transmit(tile.concentrations)
    density = -np.log(light / np.array(scanner.transmitted_light))
    recovered = density @ np.linalg.pinv(np.array(scanner.stain_matrix)).T
    np.testing.assert_allclose(recovered, tile.concentrations, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_pixels_are_the_light_plus_sensor_noise(kind: PhantomKind) -> None:
    tile = draw(kind, 2)
    error = tile.pixels - tile.scanner.transmit(tile.concentrations)
    assert np.abs(error).max() < 6 * tile.scanner.noise + 0.5
    assert abs(error.mean()) < 0.05
    assert tile.pixels.dtype == np.uint8
    assert tile.pixels.shape == (96, 96, 3)


@pytest.mark.parametrize("scanner", SCANNERS, ids=lambda scanner: scanner.name)
@pytest.mark.parametrize("kind", KINDS)
def test_macenko_recovers_the_stain_matrix_within_two_degrees(
    scanner: Scanner, kind: PhantomKind
) -> None:
    tiles = [draw(kind, seed, scanner) for seed in range(4)]
    batch = np.stack([tile.pixels for tile in tiles]).transpose(0, 3, 1, 2)
    found = MacenkoNormalizer(backend="numpy").normalize(batch).stain_matrices
    cosine = (found * np.array(scanner.stain_matrix)).sum(axis=1)
    assert np.degrees(np.arccos(np.clip(cosine, -1, 1))).max() < 2


@pytest.mark.parametrize("kind", KINDS)
def test_some_pixels_are_nearly_pure_in_each_stain(kind: PhantomKind) -> None:
    for seed in range(4):
        concentrations = draw(kind, seed).concentrations
        tissue = concentrations.sum(axis=2) > 0.3
        share = concentrations[tissue] / concentrations[tissue].sum(axis=1, keepdims=True)
        assert (share > 0.95).mean(axis=0).min() > 0.01


def test_stain_columns_have_unit_length_and_scanners_differ() -> None:
    matrices = [np.array(scanner.stain_matrix) for scanner in SCANNERS]
    for matrix in matrices:
        np.testing.assert_allclose(np.linalg.norm(matrix, axis=0), 1)
    degrees = np.degrees(np.arccos((matrices[0] * matrices[1]).sum(axis=0)))
    assert degrees.min() > 8


def test_a_slide_differs_a_little_from_its_scanner() -> None:
    scanner = SCANNERS[0]
    slide = scanner.for_slide(np.random.default_rng(0))
    cosine = (np.array(slide.stain_matrix) * np.array(scanner.stain_matrix)).sum(axis=0)
    assert slide.name == scanner.name
    assert (np.degrees(np.arccos(cosine)) > 0).all()
    assert np.degrees(np.arccos(cosine)).max() < 5


def test_tumor_nuclei_in_the_center_decide_the_label() -> None:
    square = center_square(96)
    assert (square.start, square.stop) == (32, 64)
    for seed in range(25):
        assert draw("tumor", seed).tumor[square, square].sum() > 40
        normal = draw("normal", seed)
        assert not normal.tumor_in_center
        assert not normal.tumor[square, square].any()


def test_tumor_in_the_ring_distracts() -> None:
    normals = [draw("normal", seed) for seed in range(40)]
    distracted = [tile for tile in normals if tile.tumor_in_ring]
    assert 3 <= len(distracted) <= 20
    positives = [draw("tumor", seed) for seed in range(40)]
    far = np.ones((96, 96), np.bool_)
    far[22:74, 22:74] = False
    only_center = [tile for tile in positives if not (tile.tumor & far).any()]
    assert len(only_center) >= 5


def test_masks_agree_with_the_concentrations() -> None:
    tile = draw("tumor", 3)
    assert (tile.tumor & ~tile.nuclei).sum() == 0
    hematoxylin, eosin = tile.concentrations[tile.nuclei].mean(axis=0)
    assert hematoxylin > 5 * eosin
    assert tile.concentrations[~tile.nuclei][:, 0].mean() < 0.2


def test_same_generator_same_tile() -> None:
    first, again, other = draw("normal", 5), draw("normal", 5), draw("normal", 6)
    np.testing.assert_array_equal(first.pixels, again.pixels)
    np.testing.assert_array_equal(first.concentrations, again.concentrations)
    assert (first.pixels != other.pixels).any()


def test_color_alone_says_little_of_the_label() -> None:
    statistics, labels = [], []
    for seed in range(160):
        kind: PhantomKind = ("normal", "tumor")[seed % 2]
        scanner = SCANNERS[seed // 2 % 2].for_slide(np.random.default_rng([seed // 10, 3]))
        pixels = draw(kind, seed, scanner).pixels
        statistics.append([*pixels.mean(axis=(0, 1)), *pixels.std(axis=(0, 1))])
        labels.append(kind == "tumor")
    model = make_pipeline(StandardScaler(), LogisticRegression())
    scores = cross_val_predict(model, statistics, labels, cv=5, method="predict_proba")[:, 1]
    assert roc_auc_score(labels, scores) < 0.75


@pytest.mark.parametrize("size_px", [64, 128])
def test_other_sizes_keep_the_rule(size_px: int) -> None:
    generator = np.random.default_rng(0)
    tile = phantom_tile("tumor", SCANNERS[0], generator, size_px)
    assert tile.pixels.shape == (size_px, size_px, 3)
    assert tile.tumor_in_center


def test_impossible_tiles_are_refused() -> None:
    generator = np.random.default_rng(0)
    with pytest.raises(SettingsError, match="unknown kind"):
        phantom_tile("cat", SCANNERS[0], generator)  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match="too small"):
        phantom_tile("tumor", SCANNERS[0], generator, 32)
