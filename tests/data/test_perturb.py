import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from histocli.data.perturb import PERTURBATIONS, perturb

NAMES = list(PERTURBATIONS)
IDS = ["a.png", "b.png", "c.png"]


def tiles(side: int = 48) -> np.ndarray:
    generator = np.random.default_rng(0)
    grain = generator.normal(size=(3, 3, side, side))
    smooth = gaussian_filter(grain, (0, 0, 3, 3)) * 400 + 150
    return np.clip(smooth, 20, 235).astype(np.uint8)


def distance(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one.astype(float) - other.astype(float)).mean())


@pytest.mark.parametrize("name", NAMES)
def test_the_shape_stays_and_the_tiles_given_do_too(name: str) -> None:
    pixels = tiles()
    before = pixels.copy()
    found = perturb(pixels, name, PERTURBATIONS[name].strengths[2], IDS, 0)
    assert found.dtype == np.uint8
    assert found.shape == pixels.shape
    assert found.flags.c_contiguous
    np.testing.assert_array_equal(pixels, before)
    assert distance(found, pixels) > 0


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"rotation"}))
def test_each_strength_disturbs_more_than_the_one_before(name: str) -> None:
    pixels = tiles()
    grown = [
        distance(perturb(pixels, name, strength, IDS, 0), pixels)
        for strength in PERTURBATIONS[name].strengths
    ]
    assert grown == sorted(grown)
    assert grown[0] < grown[-1]


@pytest.mark.parametrize("name", NAMES)
def test_a_tile_is_disturbed_alike_in_any_batch(name: str) -> None:
    pixels, strength = tiles(), PERTURBATIONS[name].strengths[1]
    together = perturb(pixels, name, strength, IDS, 3)
    for place, tile in enumerate(IDS):
        alone = perturb(pixels[place : place + 1], name, strength, [tile], 3)
        np.testing.assert_array_equal(together[place], alone[0])


@pytest.mark.parametrize("name", ["stain", "brightness", "noise", "rotation"])
def test_seed_and_tile_decide_the_direction(name: str) -> None:
    pixels, strength = np.repeat(tiles()[:1], 8, axis=0), PERTURBATIONS[name].strengths[2]
    ids = [f"{place}.png" for place in range(8)]
    found = perturb(pixels, name, strength, ids, 0)
    assert len({tile.tobytes() for tile in found}) > 1
    assert (found != perturb(pixels, name, strength, ids, 1)).any()


def test_a_stain_without_strength_and_a_turn_by_nothing_change_nothing() -> None:
    pixels = tiles()
    assert distance(perturb(pixels, "stain", 0.0, IDS, 0), pixels) < 0.01
    np.testing.assert_array_equal(perturb(pixels, "rotation", 0.0, IDS, 0), pixels)


def test_a_quarter_turn_is_one() -> None:
    pixels = tiles()[:1]
    found = perturb(pixels, "rotation", 90.0, IDS[:1], 0)
    turns = [np.rot90(pixels, k, axes=(2, 3)) for k in (1, 3)]
    assert min(distance(found, turn) for turn in turns) < 0.05


def test_twice_the_stain_is_the_density_doubled() -> None:
    """A flat tile of hematoxylin alone: its optical density scales as a whole."""
    amount = 0.5
    vector = np.array([0.65, 0.70, 0.29]) / np.linalg.norm([0.65, 0.70, 0.29])
    light = np.rint(256 * np.exp(-amount * vector) - 1).astype(np.uint8)
    tile = np.broadcast_to(light[np.newaxis, :, np.newaxis, np.newaxis], (1, 3, 8, 8)).copy()
    found = perturb(tile, "stain", 0.5, ["x"], 0)[0, :, 0, 0]
    expected = [256 * np.exp(-amount * factor * vector) - 1 for factor in (0.5, 1.5)]
    assert min(np.abs(found - each).max() for each in expected) <= 1.5


def test_brightness_changes_the_mean_by_its_share_in_both_directions() -> None:
    pixels = np.full((40, 3, 8, 8), 100, np.uint8)
    found = perturb(pixels, "brightness", 0.2, [f"{k}" for k in range(40)], 0)
    assert set(np.unique(found).tolist()) == {80, 120}
