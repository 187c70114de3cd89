"""Grad-CAM++."""

import torch
from torch import Tensor

# As pytorch-grad-cam has it: without it a channel without gradient would be 0 / 0.
SMALLEST = 1e-6


def grad_cam_plus_plus(activations: Tensor, gradients: Tensor) -> Tensor:
    """Weigh each channel by its positive gradients, a place the more the fewer others speak for it.

    ``relu(sum_c w_c * activation_c)``, ``w_c = sum_hw alpha * relu(gradient)``,
    ``alpha = gradient^2 / (2 gradient^2 + gradient^3 * sum_hw activation)``.

    Args:
        activations: Of the explained layer, shape ``(N, C, h, w)``.
        gradients: Of the explained score with respect to them, same shape.

    Returns:
        Maps, shape ``(N, h, w)``.

    Source:
        Chattopadhay et al., WACV 2018, equations 11 and 19.
    """
    squared = gradients.square()
    total = activations.sum(dim=(2, 3), keepdim=True)
    denominator = 2 * squared + total * squared * gradients + SMALLEST
    # The cubic term may be negative and cancel the others to the last digit.
    usable = (gradients != 0) & (denominator != 0)
    alpha = torch.where(usable, squared / torch.where(usable, denominator, 1.0), 0.0)
    weights = (gradients.relu() * alpha).sum(dim=(2, 3), keepdim=True)
    return (weights * activations).sum(dim=1).relu()
