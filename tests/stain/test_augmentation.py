import numpy as np
import pytest
import torch

from histocli.data.phantom import PHANTOM_SCANNERS
from histocli.stain import MacenkoNormalizer
from histocli.stain.augmentation import StainAugmentation, perturb_concentrations
from tests.stain.synthetic import of_color, phantom_batch


def tiles() -> torch.Tensor:
    glass = of_color(250, 250, 250, side=96)
    return torch.from_numpy(np.concatenate([phantom_batch("alpha", 3), glass[None]])).float() / 255


def test_no_perturbation_changes_nothing() -> None:
    before = tiles()
    after = perturb_concentrations(before, torch.ones(4, 2), torch.zeros(4, 2))
    torch.testing.assert_close(after, before, atol=1e-5, rtol=0)


def test_a_factor_scales_the_maximum_concentration_of_its_stain() -> None:
    before = tiles()
    factors = torch.tensor([[0.7, 1.0], [1.0, 0.8], [0.9, 0.9], [0.5, 0.5]])
    after = perturb_concentrations(before, factors, torch.zeros(4, 2))
    torch.testing.assert_close(after[3], before[3])
    measured = [
        MacenkoNormalizer().estimate((batch * 255).round().to(torch.uint8)).maximum_concentrations
        for batch in (before, after)
    ]
    ratio = (measured[1] / measured[0])[:3]
    torch.testing.assert_close(ratio.float(), factors[:3], atol=0.06, rtol=0)


def test_a_shift_darkens_tissue_and_spares_glass() -> None:
    tile = tiles()[:1].clone()
    tile[:, :, :20] = 245 / 255
    after = perturb_concentrations(tile, torch.ones(1, 2), torch.full((1, 2), 0.1))
    torch.testing.assert_close(after[:, :, :20], tile[:, :, :20], atol=1e-5, rtol=0)
    assert (after[:, :, 20:] < tile[:, :, 20:]).float().mean() > 0.9
    direction = torch.log(tile[:, :, 20:] / after[:, :, 20:]).mean(dim=(0, 2, 3))
    truth = torch.tensor(PHANTOM_SCANNERS["alpha"].stain_matrix).sum(dim=1).float()
    assert torch.cosine_similarity(direction, truth, dim=0) > 0.97


def test_draws_follow_the_generator_and_the_batch() -> None:
    before = tiles()
    augmentation = StainAugmentation(0.3, 0.1, p=1.0)
    numbers = augmentation.draw(4, torch.Generator().manual_seed(3))
    again = augmentation.draw(4, torch.Generator().manual_seed(3))
    torch.testing.assert_close(augmentation(before, numbers), augmentation(before, again))
    alone = torch.cat([augmentation(before[i : i + 1], numbers[i : i + 1]) for i in range(4)])
    torch.testing.assert_close(augmentation(before, numbers), alone, atol=0, rtol=0)
    alike = StainAugmentation(same_on_batch=True).draw(4)
    assert (alike == alike[0]).all()
    torch.testing.assert_close(StainAugmentation(p=0.0)(before), before, atol=1e-5, rtol=0)


def test_gradient_reaches_the_tiles() -> None:
    batch = tiles().requires_grad_()
    numbers = StainAugmentation().draw(4, torch.Generator().manual_seed(0))
    StainAugmentation(p=1.0)(batch, numbers).sum().backward()
    assert batch.grad is not None
    assert torch.isfinite(batch.grad).all()


@pytest.mark.parametrize("wrong", [{"factor": 1.0}, {"shift": -0.1}, {"p": 2.0}])
def test_wrong_strengths_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="factor"):
        StainAugmentation(**wrong)  # type: ignore[arg-type]
