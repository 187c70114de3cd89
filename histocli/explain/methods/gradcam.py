"""Grad-CAM."""

from torch import Tensor


def grad_cam(activations: Tensor, gradients: Tensor) -> Tensor:
    """Weigh each channel by its mean gradient and keep what speaks for the class.

    ``relu(sum_c mean_hw(gradient_c) * activation_c)``, not normalised: a map without evidence is zero.

    Args:
        activations: Of the explained layer, shape ``(N, C, h, w)``.
        gradients: Of the explained score with respect to them, same shape.

    Returns:
        Maps, shape ``(N, h, w)``.

    Source:
        Selvaraju et al., ICCV 2017, equations 1 and 2.
    """
    weights = gradients.mean(dim=(2, 3), keepdim=True)
    return (weights * activations).sum(dim=1).relu()
