"""Each measure against a slow and obvious one, and what all of them must keep to."""

import colorsys
from collections.abc import Callable, Mapping

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from histocli.data.phantom import PHANTOM_SCANNERS, phantom_tile
from histocli.qc.measures import QC_MEASURES, measure_tiles
from histocli.qc.measures.density_saturation import density_saturation
from histocli.qc.measures.saturation import saturation
from histocli.qc.measures.sharpness import sharpness
from histocli.qc.measures.tissue_fraction import tissue_fraction

Tile = NDArray[np.uint8]


def is_black(pixel: Tile) -> bool:
    return max(pixel.tolist()) <= 20


def is_tissue(pixel: Tile) -> bool:
    density = max(-np.log((int(value) + 1) / 240) for value in pixel)
    return bool(density > 0.15) and not is_black(pixel)


def pixels_of(tile: Tile) -> list[Tile]:
    return list(tile.reshape(3, -1).T)


def slow_tissue_fraction(tile: Tile) -> float:
    return float(np.mean([is_tissue(pixel) for pixel in pixels_of(tile)]))


def slow_black_fraction(tile: Tile) -> float:
    return float(np.mean([is_black(pixel) for pixel in pixels_of(tile)]))


def slow_luminance(tile: Tile) -> NDArray[np.float64]:
    red, green, blue = tile.astype(np.float64)
    return 0.299 * red + 0.587 * green + 0.114 * blue


def slow_brightness(tile: Tile) -> float:
    return float(slow_luminance(tile).mean() / 255)


def slow_saturation(tile: Tile) -> float:
    found = [colorsys.rgb_to_hsv(*(p / 255))[1] for p in pixels_of(tile) if is_tissue(p)]
    return float(np.mean(found)) if found else float("nan")


def slow_density_saturation(tile: Tile) -> float:
    spread, highest = 0.0, 0.0
    for pixel in pixels_of(tile):
        if is_tissue(pixel):
            density = [max(0.0, -np.log((int(value) + 1) / 240)) for value in pixel]
            spread += max(density) - min(density)
            highest += max(density)
    return spread / highest if highest else float("nan")


def slow_sharpness(tile: Tile) -> float:
    binomial = np.outer([1, 2, 1], [1, 2, 1]) / 16
    return slow_detail(ndimage.convolve(slow_luminance(tile), binomial), tile, border=2)


def slow_fine_detail(tile: Tile) -> float:
    return slow_detail(slow_luminance(tile), tile, border=1)


def slow_detail(grey: NDArray[np.float64], tile: Tile, border: int) -> float:
    laplacian = ndimage.laplace(grey)
    down = ndimage.correlate1d(grey, [-0.5, 0, 0.5], axis=0)
    right = ndimage.correlate1d(grey, [-0.5, 0, 0.5], axis=1)
    inside = np.zeros(grey.shape, np.bool_)
    inside[border:-border, border:-border] = True
    tissue = np.array([is_tissue(p) for p in pixels_of(tile)]).reshape(grey.shape) & inside
    if not tissue.any():
        return float("nan")
    return float(np.mean(laplacian[tissue] ** 2) / np.mean((down**2 + right**2)[tissue]))


def slow_contrast(tile: Tile) -> float:
    mean = ndimage.convolve(slow_luminance(tile), np.full((3, 3), 1 / 9))[1:-1, 1:-1]
    return float(np.subtract(*np.percentile(mean, (99, 1))) / 255)


def densities(pixel: Tile) -> list[float]:
    return [max(0.0, float(-np.log((int(value) + 1) / 240))) for value in pixel]


def is_cool_ink(pixel: Tile) -> bool:
    red, green, blue = densities(pixel)
    spread = int(pixel.max()) - int(pixel.min())
    is_blue = red > 0.6 and red > 1.2 * green and blue < 0.4 * red and spread > 60
    return is_blue or (red > 0.5 and red > 1.6 * green and spread > 40)


def is_red_ink(pixel: Tile) -> bool:
    red, green, blue = densities(pixel)
    return green > 1.6 and blue > 0.7 * green and red < 0.17 * green


def is_black_ink(pixel: Tile) -> bool:
    found = densities(pixel)
    return int(pixel.max()) < 80 and max(found) - min(found) < 0.22 * max(found)


def share_of(is_such: Callable[[Tile], bool]) -> Callable[[Tile], float]:
    return lambda tile: float(np.mean([is_such(pixel) for pixel in pixels_of(tile)]))


def slow_black_ink_fraction(tile: Tile) -> float:
    dark = np.array([is_black_ink(pixel) for pixel in pixels_of(tile)]).reshape(tile.shape[1:])
    covered = np.zeros_like(dark)
    for top in range(tile.shape[1] - 2):
        for left in range(tile.shape[2] - 2):
            square = (slice(top, top + 3), slice(left, left + 3))
            covered[square] |= dark[square].all()
    return float(covered.mean())


def slow_fold_fraction(tile: Tile) -> float:
    red = np.array([densities(pixel)[0] for pixel in pixels_of(tile)]).reshape(tile.shape[1:])
    tissue = np.array([is_tissue(pixel) for pixel in pixels_of(tile)]).reshape(red.shape)
    if not tissue.any():
        return 0.0
    padded = np.pad(red, 1, mode="edge")
    height, width = tile.shape[1:]
    shifted = [padded[i : i + height, j : j + width] for i in range(3) for j in range(3)]
    smooth = np.mean(shifted, axis=0)

    def around(plane: NDArray[np.float64], choose: Callable[..., float]) -> NDArray[np.float64]:
        rows, columns = range(height), range(width)
        near = [
            [plane[max(0, i - 2) : i + 3, max(0, j - 2) : j + 3] for j in columns] for i in rows
        ]
        return np.array([[choose(square) for square in row] for row in near])

    dense = around(around(smooth, np.min), np.max)
    return float((dense > max(0.8, 1.3 * np.median(red[tissue]))).mean())


def slow_soft_fold_fraction(tile: Tile) -> float:
    red = np.array([densities(pixel)[0] for pixel in pixels_of(tile)]).reshape(tile.shape[1:])
    tissue = np.array([is_tissue(pixel) for pixel in pixels_of(tile)]).reshape(tile.shape[1:])
    if not tissue.any():
        return 0.0
    smooth = ndimage.gaussian_filter(red, 0.8, mode="nearest")
    around = np.pad(smooth, 1, mode="edge")
    up, down, left, right = around[:-2, 1:-1], around[2:, 1:-1], around[1:-1, :-2], around[1:-1, 2:]
    bend = up + down + left + right - 4 * smooth
    slope = ((down - up) / 2) ** 2 + ((right - left) / 2) ** 2

    def mean(plane: NDArray[np.float64]) -> NDArray[np.float64]:
        box = np.full((9, 9), 1 / 81)
        return np.asarray(ndimage.convolve(plane, box, mode="nearest"))

    detail = mean(bend**2) / (mean(slope) + 1e-4)
    dense = mean(red) > max(0.3, 1.15 * np.median(red[tissue]))
    return float((dense & (detail < 0.4 * np.percentile(detail[tissue], 75))).mean())


def slow_mean_density(tile: Tile) -> float:
    found = [np.mean(densities(pixel)) for pixel in pixels_of(tile) if is_tissue(pixel)]
    return float(np.mean(found)) if found else float("nan")


def slow_strong_density(tile: Tile) -> float:
    found = [max(densities(pixel)) for pixel in pixels_of(tile) if is_tissue(pixel)]
    return float(np.percentile(found, 95)) if found else float("nan")


def slow_red_density(percentile: float) -> Callable[[Tile], float]:
    def measure(tile: Tile) -> float:
        found = [densities(pixel)[0] for pixel in pixels_of(tile) if is_tissue(pixel)]
        return float(np.percentile(found, percentile)) if found else float("nan")

    return measure


def slow_blockiness(tile: Tile) -> float:
    grey = slow_luminance(tile)
    excesses, means = [], []
    for plane in (grey, grey.T):
        steps = np.array([np.abs(plane[:, k + 1] - plane[:, k]) for k in range(63)])
        excess = {k: steps[k] - (steps[k - 1] + steps[k + 1]) / 2 for k in range(1, 62)}
        grids = [np.mean([np.mean(excess[k]) for k in range(1 + s, 62, 8)]) for s in range(8)]
        best = int(np.argmax(grids))
        excesses.append(grids[best] - np.mean(np.delete(grids, best)))
        means.append(steps.mean())
    return float(max(min(excesses), 0.0) / (np.mean(means) + 8))


ORACLES: Mapping[str, Callable[[Tile], float]] = {
    "tissue_fraction": slow_tissue_fraction,
    "sharpness": slow_sharpness,
    "fine_detail": slow_fine_detail,
    "brightness": slow_brightness,
    "saturation": slow_saturation,
    "density_saturation": slow_density_saturation,
    "black_fraction": slow_black_fraction,
    "contrast": slow_contrast,
    "cool_ink_fraction": share_of(is_cool_ink),
    "red_ink_fraction": share_of(is_red_ink),
    "black_ink_fraction": slow_black_ink_fraction,
    "fold_fraction": slow_fold_fraction,
    "soft_fold_fraction": slow_soft_fold_fraction,
    "mean_density": slow_mean_density,
    "strong_density": slow_strong_density,
    "nuclear_density": slow_red_density(95),
    "peak_nuclear_density": slow_red_density(99),
    "blockiness": slow_blockiness,
}


def sample_tiles() -> NDArray[np.uint8]:
    """Tissue of three scanners, noise, glass with a speck, black and grey, each 64x64."""
    generator = np.random.default_rng(0)
    tissue = [
        phantom_tile("tumor", scanner, generator, 64).pixels.transpose(2, 0, 1)
        for scanner in PHANTOM_SCANNERS.values()
    ]
    noise = generator.integers(0, 256, (3, 64, 64), np.uint8)
    glass = np.full((3, 64, 64), 240, np.uint8)
    glass[:, 20:24, 30:34] = generator.integers(60, 200, (3, 4, 4))
    half = noise // 16
    half[:, 32:] = 180
    grey = np.repeat(generator.integers(0, 256, (1, 64, 64), np.uint8), 3, axis=0)
    white = np.full((3, 64, 64), 255, np.uint8)
    return np.stack([*tissue, noise, glass, half, grey, white])


TILES = sample_tiles()


def test_every_measure_has_a_slow_definition() -> None:
    assert list(ORACLES) == list(QC_MEASURES)


@pytest.mark.parametrize("name", ORACLES)
def test_measure_agrees_with_the_slow_definition(name: str) -> None:
    expected = [ORACLES[name](tile) for tile in TILES]
    np.testing.assert_allclose(QC_MEASURES[name](TILES), expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", QC_MEASURES)
def test_measure_of_a_tile_does_not_depend_on_its_batch(name: str) -> None:
    measure = QC_MEASURES[name]
    together = measure(TILES)
    alone = np.concatenate([measure(TILES[i : i + 1]) for i in range(len(TILES))])
    reordered = measure(np.concatenate([TILES[::-1]] * 3))[: len(TILES)][::-1]
    np.testing.assert_array_equal(together, alone)
    np.testing.assert_array_equal(together, reordered)


@pytest.mark.parametrize("name", QC_MEASURES)
def test_measure_leaves_its_input_alone_and_gives_float64(name: str) -> None:
    before = TILES.copy()
    values = QC_MEASURES[name](TILES)
    np.testing.assert_array_equal(TILES, before)
    assert values.dtype == np.float64
    assert values.shape == (len(TILES),)


@pytest.mark.parametrize("name", QC_MEASURES)
@pytest.mark.parametrize("side", [1, 2, 4])
@pytest.mark.parametrize("grey", [0, 20, 21, 128, 255])
def test_measure_survives_flat_and_tiny_tiles(name: str, side: int, grey: int) -> None:
    value = QC_MEASURES[name](np.full((1, 3, side, side), grey, np.uint8))[0]
    assert np.isnan(value) or 0 <= value <= 3


@pytest.mark.parametrize("name", QC_MEASURES)
def test_measure_does_not_change_when_the_tile_is_turned(name: str) -> None:
    turned = np.ascontiguousarray(np.rot90(TILES, axes=(2, 3)))
    np.testing.assert_allclose(QC_MEASURES[name](turned), QC_MEASURES[name](TILES), rtol=1e-12)


def test_large_batches_are_measured_in_parts_with_the_same_result(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = measure_tiles(TILES)
    monkeypatch.setattr("histocli.qc.measures.PIXELS_AT_ONCE", 3 * 64 * 64)
    np.testing.assert_equal(measure_tiles(TILES), whole)


def test_eosin_alone_is_tissue_though_red_passes() -> None:
    pink = np.array([220, 150, 190], np.uint8).reshape(1, 3, 1, 1)
    assert tissue_fraction(np.tile(pink, (1, 1, 8, 8)))[0] == 1


def test_sharpness_ignores_contrast_and_the_glass_beside_the_tissue() -> None:
    generator = np.random.default_rng(1)
    tissue = generator.integers(40, 160, (1, 3, 64, 64)).astype(np.uint8)
    paler = (tissue // 2 + 60).astype(np.uint8)
    assert sharpness(paler)[0] == pytest.approx(sharpness(tissue)[0], rel=0.02)
    beside_glass = [np.full((1, 3, 64, width), 240, np.uint8) for width in (80, 400)]
    for tile in beside_glass:
        tile[..., :64] = tissue
    little, much = (sharpness(tile)[0] for tile in beside_glass)
    assert much == pytest.approx(little, rel=1e-12)


def test_density_saturation_does_not_fade_with_pale_staining() -> None:
    direction = np.array([0.3, 0.8, 0.5])
    strong, pale = (
        np.round(240 * np.exp(-strength * direction) - 1).astype(np.uint8).reshape(1, 3, 1, 1)
        for strength in (2.0, 0.25)
    )
    assert density_saturation(pale)[0] == pytest.approx(density_saturation(strong)[0], abs=0.04)
    assert saturation(pale)[0] < 0.4 * saturation(strong)[0]
