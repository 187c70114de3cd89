"""HiResCAM."""

from torch import Tensor


def hires_cam(activations: Tensor, gradients: Tensor) -> Tensor:
    """Multiply each place's activation by its own gradient: nothing is averaged over the tile.

    ``relu(sum_c gradient_c * activation_c)``. Where the layer is followed by nothing but a mean and a
    linear layer this is the place's exact share of the score.

    Args:
        activations: Of the explained layer, shape ``(N, C, h, w)``.
        gradients: Of the explained score with respect to them, same shape.

    Returns:
        Maps, shape ``(N, h, w)``.

    Source:
        Draelos and Carin, arXiv:2011.08891, equation 4.
    """
    return (gradients * activations).sum(dim=1).relu()
