"""XGrad-CAM."""

import torch
from torch import Tensor

# As pytorch-grad-cam has it.
SMALLEST = 1e-7


def xgrad_cam(activations: Tensor, gradients: Tensor) -> Tensor:
    """Weigh each channel by its gradient where it is active, so that the map adds up to the score.

    ``relu(sum_c w_c * activation_c)``, ``w_c = sum_hw gradient * activation / sum_hw activation``.

    Args:
        activations: Of the explained layer, shape ``(N, C, h, w)``.
        gradients: Of the explained score with respect to them, same shape.

    Returns:
        Maps, shape ``(N, h, w)``.

    Source:
        Fu et al., BMVC 2020, equation 8.
    """
    total = activations.sum(dim=(2, 3), keepdim=True) + SMALLEST
    usable = total != 0
    shares = torch.where(usable, activations / torch.where(usable, total, 1.0), 0.0)
    weights = (gradients * shares).sum(dim=(2, 3), keepdim=True)
    return (weights * activations).sum(dim=1).relu()
