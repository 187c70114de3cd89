import numpy as np
import torch

from histocli.training.mixing import mix

TILES = torch.rand(6, 3, 20, 20, generator=torch.Generator().manual_seed(0))
TARGETS = torch.tensor([0, 1, 2, 0, 1, 2])
NUMBERS = np.random.default_rng(0).random((6, 3))


def test_mixup_blends_with_the_neighbor_and_shares_its_label() -> None:
    mixed, shares = mix(TILES, TARGETS, 3, NUMBERS, mixup=0.4, cutmix=0.0)
    torch.testing.assert_close(shares.sum(1), torch.ones(6))
    for row in range(6):
        kept = float(shares[row, TARGETS[row]])
        expected = kept * TILES[row] + (1 - kept) * TILES[row - 1]
        torch.testing.assert_close(mixed[row], expected, atol=1e-6, rtol=1e-5)


def test_cutmix_exchanges_a_box_of_the_stated_area() -> None:
    mixed, shares = mix(TILES, TARGETS, 3, NUMBERS, mixup=0.0, cutmix=1.0)
    for row in range(6):
        foreign = (mixed[row] != TILES[row]).all(0)
        assert (mixed[row][:, foreign] == TILES[row - 1][:, foreign]).all()
        torch.testing.assert_close(
            float(shares[row, TARGETS[row - 1]]), float(foreign.float().mean())
        )


def test_off_changes_nothing() -> None:
    mixed, shares = mix(TILES, TARGETS, 3, NUMBERS, mixup=0.0, cutmix=0.0)
    assert torch.equal(mixed, TILES)
    assert torch.equal(shares.argmax(1), TARGETS)
