"""Eigen-CAM."""

import torch
from torch import Tensor


def eigen_cam(activations: Tensor, gradients: Tensor) -> Tensor:
    """Project each place's activations on their first principal component; no class is asked about.

    A principal component has no sign: it is taken such that places that are more active than others get
    the positive values.

    Args:
        activations: Of the explained layer, shape ``(N, C, h, w)``.
        gradients: Not used: the map shows what the layer responds to, not what speaks for a class.

    Returns:
        Maps, shape ``(N, h, w)``.

    Source:
        Muhammad and Yeasin, IJCNN 2020. Differs in: the sign follows a rule, where others leave it to
        the linear algebra library.
    """
    del gradients
    places = activations.flatten(2).mT
    centered = places - places.mean(dim=1, keepdim=True)
    left, strengths, _ = torch.linalg.svd(centered, full_matrices=False)
    projection = left[..., 0] * strengths[..., :1]
    activity = places.square().sum(dim=2).sqrt()
    activity = activity - activity.mean(dim=1, keepdim=True)
    agrees = (projection * activity).sum(dim=1, keepdim=True) >= 0
    oriented = torch.where(agrees, projection, -projection)
    return oriented.unflatten(1, activations.shape[2:]).relu()
