import numpy as np
import torch

from histocli.training.augmentation import augment, d4_views, draw_numbers, restain
from tests.stain.synthetic import phantom_batch


def test_numbers_belong_to_the_tile_whatever_its_batch() -> None:
    together = draw_numbers(3, 2, ["a", "b", "c"])
    np.testing.assert_array_equal(together[1], draw_numbers(3, 2, ["b"])[0])
    assert not np.array_equal(together[1], draw_numbers(3, 3, ["b"])[0])
    assert not np.array_equal(together[1], draw_numbers(4, 2, ["b"])[0])
    many = draw_numbers(0, 0, [str(i) for i in range(4000)])
    assert many.min() >= 0
    assert many.max() < 1
    np.testing.assert_allclose(many.mean(axis=0), 0.5, atol=0.03)


def test_eight_views_are_the_eight_symmetries() -> None:
    tile = torch.arange(9.0).reshape(1, 1, 3, 3)
    views = {tuple(view.flatten().tolist()) for view in d4_views(tile)}
    expected = set()
    for array in (tile.numpy()[0, 0], tile.numpy()[0, 0].T):
        for turns in range(4):
            expected.add(tuple(np.rot90(array, turns).flatten().tolist()))
    assert views == expected
    assert len(d4_views(torch.zeros(1, 3, 4, 6))) == 4


def test_without_jitter_a_tile_is_only_turned() -> None:
    tiles = torch.rand(16, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    changed = augment(tiles, draw_numbers(0, 1, [str(i) for i in range(16)]), 0.0)
    for before, after in zip(tiles, changed, strict=True):
        assert any(torch.equal(view[0], after) for view in d4_views(before[None]))


def test_jitter_stays_in_range_and_differs_between_tiles() -> None:
    tiles = torch.full((8, 3, 4, 4), 0.6)
    changed = augment(tiles, draw_numbers(0, 1, [str(i) for i in range(8)]), 0.3)
    assert changed.min() >= 0
    assert changed.max() <= 1
    assert len(torch.unique(changed.mean(dim=(1, 2, 3)))) == 8


def test_a_tile_is_restained_the_same_way_whatever_its_batch() -> None:
    tiles = torch.from_numpy(phantom_batch("alpha", 3)).float() / 255
    numbers = draw_numbers(0, 1, ["a", "b", "c"], "stain")
    together = restain(tiles, numbers, 0.3)
    torch.testing.assert_close(
        together[1:2], restain(tiles[1:2], numbers[1:2], 0.3), atol=0, rtol=0
    )
    assert ((together - tiles).abs().mean(dim=(1, 2, 3)) > 0.005).all()
    assert not np.array_equal(numbers, draw_numbers(0, 1, ["a", "b", "c"]))


def test_tiles_that_are_not_square_keep_their_shape() -> None:
    tiles = torch.rand(8, 3, 4, 6, generator=torch.Generator().manual_seed(0))
    assert augment(tiles, draw_numbers(0, 1, list("abcdefgh")), 0.1).shape == tiles.shape
