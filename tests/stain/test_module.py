import numpy as np
import torch

from histocli.data.phantom import PHANTOM_SCANNERS, phantom_tile
from histocli.stain import MacenkoNormalizer
from histocli.stain.module import MacenkoNormalization


def tiles_with_a_blank_one() -> torch.Tensor:
    scanner = PHANTOM_SCANNERS["alpha"]
    tiles = [phantom_tile("tumor", scanner, np.random.default_rng(i)).pixels for i in range(3)]
    tiles.append(np.full((96, 96, 3), 250, np.uint8))
    return torch.from_numpy(np.stack(tiles).transpose(0, 3, 1, 2).copy())


def test_module_gives_the_grey_levels_of_the_normalizer() -> None:
    tiles = tiles_with_a_blank_one()
    files = MacenkoNormalizer().normalize(tiles).tiles
    inside = MacenkoNormalization()(tiles.float() / 255)
    difference = (inside * 255).round() - files.float()
    assert difference.abs().max() <= 1
    assert (difference != 0).float().mean() < 1e-4
    torch.testing.assert_close((inside * 255), (inside * 255).round(), atol=1e-3, rtol=0)


def test_gradient_passes_the_rounding() -> None:
    tiles = (tiles_with_a_blank_one().float() / 255).requires_grad_()
    MacenkoNormalization()(tiles).sum().backward()
    assert tiles.grad is not None
    assert torch.isfinite(tiles.grad).all()
    assert tiles.grad[0].abs().sum() > 0
