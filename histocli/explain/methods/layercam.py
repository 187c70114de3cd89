"""LayerCAM."""

from torch import Tensor


def layer_cam(activations: Tensor, gradients: Tensor) -> Tensor:
    """Multiply each place's activation by its own gradient where that is positive.

    ``relu(sum_c relu(gradient_c) * activation_c)``; made for early layers, whose grids are finer.

    Args:
        activations: Of the explained layer, shape ``(N, C, h, w)``.
        gradients: Of the explained score with respect to them, same shape.

    Returns:
        Maps, shape ``(N, h, w)``.

    Source:
        Jiang et al., IEEE Transactions on Image Processing 30 (2021) 5875-5888, equations 5 to 7.
    """
    return (gradients.relu() * activations).sum(dim=1).relu()
