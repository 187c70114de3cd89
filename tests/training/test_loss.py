import numpy as np
import pytest
import torch
from torch.nn import functional

from histocli.training.loss import NO_LABEL, LossPlan, classification_loss

LOGITS = torch.tensor([[2.0, -1.0, 0.5], [0.1, 0.2, 0.3], [-3.0, 4.0, 0.0], [1.0, 1.0, 1.0]])
TARGETS = torch.tensor([0, 2, 1, NO_LABEL])
WEIGHTS = torch.tensor([1.0, 2.0, 0.5])


@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_a_focus_that_is_next_to_nothing_is_cross_entropy(weights: torch.Tensor | None) -> None:
    plain = classification_loss(LOGITS, TARGETS, LossPlan(weights))
    # Torch's sum, over the number of tiles.
    expected = (
        functional.cross_entropy(LOGITS[:3], TARGETS[:3], weight=weights, reduction="sum") / 3
    )
    torch.testing.assert_close(plain, expected)
    torch.testing.assert_close(
        classification_loss(LOGITS, TARGETS, LossPlan(weights, focal_gamma=1e-9)), expected
    )


def test_focal_loss_is_its_formula() -> None:
    probabilities = LOGITS[:3].double().softmax(1)
    right = probabilities[torch.arange(3), TARGETS[:3]]
    expected = (-((1 - right) ** 2) * right.log()).mean()
    found = classification_loss(LOGITS.double(), TARGETS, LossPlan(focal_gamma=2.0))
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("gamma", [0.0, 1.5])
def test_shares_of_one_class_are_its_index(gamma: float) -> None:
    plan = LossPlan(None, 0.1, gamma)
    shares = functional.one_hot(TARGETS[:3], 3).float()
    torch.testing.assert_close(
        classification_loss(LOGITS[:3], shares, plan),
        classification_loss(LOGITS[:3], TARGETS[:3], plan),
    )


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("gamma", [0.0, 2.0])
def test_mixed_labels_are_weighted_by_their_shares(smoothing: float, gamma: float) -> None:
    shares = np.array([[0.7, 0.3, 0.0], [0.0, 0.0, 1.0], [0.25, 0.25, 0.5], [0.0, 1.0, 0.0]])
    weights = WEIGHTS.double().numpy()
    exponentials = np.exp(LOGITS.double().numpy())
    p = exponentials / exponentials.sum(1, keepdims=True)
    smoothed = shares * (1 - smoothing) + smoothing / 3
    losses = -(weights * smoothed * (1 - p) ** gamma * np.log(p)).sum(1)
    expected = losses.mean()
    plan = LossPlan(WEIGHTS, smoothing, gamma)
    found = float(classification_loss(LOGITS, torch.from_numpy(shares).float(), plan))
    assert found == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_weighted_shares_of_one_class_are_its_index(smoothing: float) -> None:
    plan = LossPlan(WEIGHTS, smoothing)
    shares = functional.one_hot(TARGETS[:3], 3).float()
    torch.testing.assert_close(
        classification_loss(LOGITS[:3], shares, plan),
        classification_loss(LOGITS[:3], TARGETS[:3], plan),
    )


@pytest.mark.parametrize("gamma", [0.0, 2.0])
def test_the_loss_of_a_batch_is_the_mean_of_its_parts_however_the_classes_fell(
    gamma: float,
) -> None:
    """What accumulation and several processes rely on."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(12, 3, generator=generator, dtype=torch.float64)
    targets = torch.tensor([0] * 5 + [1, 2] + [1] * 5)
    plan = LossPlan(WEIGHTS.double(), 0.1, gamma)
    parts = [classification_loss(logits[i : i + 4], targets[i : i + 4], plan) for i in (0, 4, 8)]
    torch.testing.assert_close(
        torch.stack(parts).mean(), classification_loss(logits, targets, plan), rtol=1e-12, atol=0
    )
