import numpy as np
import pytest
import torch

from histocli.stain.conventions import CONVENTIONS, find_convention
from histocli.stain.optical_density import density_table, optical_density
from histocli.stain.tissue import (
    lightness,
    luminance_limit,
    stretched,
    tissue_grey_level,
    tissue_mask,
)
from tests.reference import macenko_conventions
from tests.stain.synthetic import HOPELESS, phantom_batch


def test_lightness_and_stretch_equal_the_plain_ones() -> None:
    tiles = [*phantom_batch("alpha", 4), *(tile for tile, _ in HOPELESS.values())]
    for tile in tiles:
        grey = tile.reshape(1, 3, -1).astype(np.float64)
        ours = stretched(grey)
        expected = macenko_conventions.stretch(tile)
        np.testing.assert_array_equal(ours[0], expected.reshape(3, -1))
        np.testing.assert_array_equal(
            lightness(ours)[0], macenko_conventions.lightness(expected).reshape(-1)
        )


@pytest.mark.parametrize("name", CONVENTIONS)
def test_masks_agree_between_libraries(name: str) -> None:
    convention = find_convention(name)
    grey = phantom_batch("beta", 3).reshape(3, 3, -1).astype(np.float32)
    density = optical_density(grey, convention)
    mask = tissue_mask(grey, density, convention)
    other = tissue_mask(torch.from_numpy(grey), torch.from_numpy(density), convention)
    np.testing.assert_array_equal(other.numpy(), mask)
    assert 0.1 < mask.mean() <= 1


def test_limits_on_whole_grey_levels() -> None:
    assert tissue_grey_level(find_convention("torchstain")) == 205
    assert tissue_grey_level(find_convention("cucim")) == 169
    assert luminance_limit(find_convention("tiatoolbox")) == 4_696_063
    table = density_table(find_convention("torchstain"))
    assert table[205] >= 0.15 > table[206]
