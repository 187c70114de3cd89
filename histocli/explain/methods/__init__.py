"""Class activation maps: each file turns activations and their gradient into a map.

To add one, write a file with a function like these and add a line to ``CAM_METHODS``.
"""

from collections.abc import Callable, Mapping

from torch import Tensor

from histocli.explain.methods.gradcam import grad_cam

__all__ = ["CAM_METHODS", "CamMethod"]

# From activations and gradients, both (N, C, h, w), to maps (N, h, w), none of them negative.
CamMethod = Callable[[Tensor, Tensor], Tensor]

CAM_METHODS: Mapping[str, CamMethod] = {
    "gradcam": grad_cam,
}
