import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from histocli.data.color_statistics import (
    color_features,
    stain_look,
    tissue_and_blue_share,
    tissue_quarter,
)


def test_features_are_mean_spread_and_percentiles_of_each_channel() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (4, 3, 16, 16)).astype(np.uint8)
    features = color_features(pixels)
    assert features.shape == (4, 21)
    tile = pixels[2].reshape(3, -1).astype(float)
    np.testing.assert_allclose(features[2, :3], tile.mean(axis=1))
    np.testing.assert_allclose(features[2, 3:6], tile.std(axis=1))
    levels = np.percentile(tile, [5, 25, 50, 75, 95], axis=1)
    np.testing.assert_allclose(features[2, 6:], levels.ravel())


def test_turning_a_tile_changes_no_feature() -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (2, 3, 12, 12)).astype(np.uint8)
    turned = np.rot90(pixels, axes=(2, 3))
    np.testing.assert_allclose(color_features(turned), color_features(pixels))


def test_tissue_is_what_takes_light() -> None:
    tile = np.full((1, 3, 10, 10), 245, np.uint8)
    tile[:, :, :4] = np.array([150, 80, 160])[:, np.newaxis, np.newaxis]
    tissue, blue = tissue_and_blue_share(tile)
    assert tissue[0] == pytest.approx(0.4)
    density = -np.log((np.array([150, 80, 160]) + 1) / 256)
    assert blue[0] == pytest.approx(density[2] / density.sum())


def test_without_tissue_there_is_no_color() -> None:
    tissue, blue = tissue_and_blue_share(np.full((1, 3, 8, 8), 250, np.uint8))
    assert tissue[0] == 0
    assert np.isnan(blue[0])
    assert stain_look(float(tissue[0]), float(blue[0])) == "too little tissue"


def test_looks_and_quarters_have_their_limits() -> None:
    assert stain_look(0.5, 0.19) == "purple"
    assert stain_look(0.5, 0.30) == "brown"
    assert [tissue_quarter(share) for share in (0.0, 0.25, 0.6, 1.0)] == [
        "0 to 25 %",
        "25 to 50 %",
        "50 to 75 %",
        "75 to 100 %",
    ]


def test_the_looks_of_real_tiles_are_those_of_their_table(pcam: Path) -> None:
    with (pcam / "labels.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "valid"][::10]
    rows = [row for row in rows if row["stain_look"] in ("brown", "purple")]
    right = 0
    for row in rows:
        pixels = np.asarray(Image.open(pcam / row["path"]).convert("RGB")).transpose(2, 0, 1)
        tissue, blue = tissue_and_blue_share(pixels[np.newaxis])
        right += stain_look(float(tissue[0]), float(blue[0])) == row["stain_look"]
    assert right > 0.95 * len(rows)
