import warnings

import numpy as np
import pytest
import torch

from histocli.data.phantom import PHANTOM_SCANNERS, phantom_tile
from histocli.stain import MacenkoNormalizer
from histocli.stain.module import StainNormalization
from histocli.stain.normalizers import NORMALIZERS, find_normalizer
from tests.stain.synthetic import phantom_batch


def tiles_with_a_blank_one() -> torch.Tensor:
    scanner = PHANTOM_SCANNERS["alpha"]
    tiles = [phantom_tile("tumor", scanner, np.random.default_rng(i)).pixels for i in range(3)]
    tiles.append(np.full((96, 96, 3), 250, np.uint8))
    return torch.from_numpy(np.stack(tiles).transpose(0, 3, 1, 2).copy())


def test_module_gives_the_grey_levels_of_the_normalizer() -> None:
    tiles = tiles_with_a_blank_one()
    files = MacenkoNormalizer().normalize(tiles).tiles
    inside = StainNormalization()(tiles.float() / 255)
    difference = (inside * 255).round() - files.float()
    assert difference.abs().max() <= 1
    assert (difference != 0).float().mean() < 1e-4
    torch.testing.assert_close((inside * 255), (inside * 255).round(), atol=1e-3, rtol=0)


def test_gradient_passes_the_rounding() -> None:
    tiles = (tiles_with_a_blank_one().float() / 255).requires_grad_()
    StainNormalization()(tiles).sum().backward()
    assert tiles.grad is not None
    assert torch.isfinite(tiles.grad).all()
    assert tiles.grad[0].abs().sum() > 0


def test_gradient_is_the_derivative() -> None:
    generator = torch.Generator().manual_seed(0)
    truth = torch.tensor(PHANTOM_SCANNERS["alpha"].stain_matrix, dtype=torch.float64)
    strength = 0.3 + torch.rand(1, 2, 20, generator=generator, dtype=torch.float64)
    tile = torch.exp(-(truth @ strength)).reshape(1, 3, 4, 5).requires_grad_()
    module = StainNormalization(quantize=False)
    # No percentile changes its pixel within a step of 1e-7.
    assert torch.autograd.gradcheck(module, (tile,), eps=1e-7, atol=1e-4, rtol=1e-3)


def test_fused_and_differentiable_paths_agree() -> None:
    tiles = tiles_with_a_blank_one().float() / 255
    module = StainNormalization()
    fused = module(tiles)
    with_gradient = module(tiles.clone().requires_grad_())
    difference = ((fused - with_gradient.detach()) * 255).abs()
    assert difference.max() < 1.01
    assert (difference > 0.5).float().mean() < 1e-3


def test_module_can_be_traced_and_exported() -> None:
    tiles = tiles_with_a_blank_one().float() / 255
    expected = StainNormalization()(tiles)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        traced = torch.jit.trace(StainNormalization(), (tiles,))
    for module in (traced, torch.export.export(StainNormalization(), (tiles,)).module()):
        difference = ((module(tiles) - expected) * 255).abs()
        assert difference.max() < 1.01
        assert (difference > 0.5).float().mean() < 1e-3


@pytest.mark.parametrize("method", NORMALIZERS)
def test_a_recorded_graph_takes_any_number_of_tiles(method: str) -> None:
    module = StainNormalization(find_normalizer(method)()).eval()
    tiles = torch.from_numpy(phantom_batch("alpha", 20)).float() / 255
    batch = torch.export.Dim("batch", min=1, max=64)
    exported = torch.export.export(module, (tiles[:4],), dynamic_shapes={"tiles": {0: batch}})
    with warnings.catch_warnings():
        # Deprecated in torch, and still in use; it warns of whatever it records as a constant.
        warnings.simplefilter("ignore")
        traced = torch.jit.trace(module, tiles[:4], check_trace=False)
    for count in (2, 20):
        expected = module(tiles[:count])
        for found in (exported.module()(tiles[:count]), traced(tiles[:count])):
            assert ((found - expected).abs() * 255).max() < 1.5
