import numpy as np
import pytest
import torch

from histocli.training.rand_augment import OPERATIONS, rand_augment

TILES = torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_keeps_shape_and_range_and_does_something(name: str) -> None:
    torch.manual_seed(0)
    changed = OPERATIONS[name](TILES, torch.tensor([-1.0, -0.5, 0.5, 1.0])).clamp(0, 1)
    assert changed.shape == TILES.shape
    assert torch.isfinite(changed).all()
    assert ((changed - TILES).abs().amax((1, 2, 3)) > 1e-3).all()


@pytest.mark.parametrize("name", ["rotate", "zoom", "shear", "gamma", "grain"])
def test_strength_zero_is_the_identity(name: str) -> None:
    torch.testing.assert_close(OPERATIONS[name](TILES, torch.zeros(4)), TILES, atol=2e-5, rtol=0)


def test_a_tile_is_changed_alike_whatever_its_batch() -> None:
    numbers = np.random.default_rng(3).random((4, 4))
    numbers[:, [0, 2]] *= 0.8  # all but the noise, which is drawn for the batch
    together = rand_augment(TILES, numbers)
    alone = torch.cat([rand_augment(TILES[i : i + 1], numbers[i : i + 1]) for i in range(4)])
    torch.testing.assert_close(together, alone, atol=1e-6, rtol=0)
