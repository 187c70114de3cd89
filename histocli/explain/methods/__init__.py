"""Methods that turn a network's working on a tile into a map of the evidence: one a file.

To add one, write a file with a function like these and add a line to one of the two registries:
``CAM_METHODS`` for methods that read one layer, ``INPUT_METHODS`` for those that change the tile itself.
"""

from collections.abc import Callable, Mapping

from torch import Tensor

from histocli.explain.methods.eigencam import eigen_cam
from histocli.explain.methods.gradcam import grad_cam
from histocli.explain.methods.gradcam_plus_plus import grad_cam_plus_plus
from histocli.explain.methods.hirescam import hires_cam
from histocli.explain.methods.integrated_gradients import integrated_gradients
from histocli.explain.methods.layercam import layer_cam
from histocli.explain.methods.occlusion import occlusion
from histocli.explain.methods.xgradcam import xgrad_cam

__all__ = ["CAM_METHODS", "INPUT_METHODS", "METHODS", "CamMethod", "InputMethod", "Score"]

# From activations and gradients, both (N, C, h, w), to maps (N, h, w), none of them negative.
CamMethod = Callable[[Tensor, Tensor], Tensor]
# From tiles in [0, 1], (N, 3, H, W), to the logit of the explained class of each, (N,).
Score = Callable[[Tensor], Tensor]
# From a score and tiles (N, 3, H, W) to maps (N, H, W), none of them negative.
InputMethod = Callable[[Score, Tensor], Tensor]

CAM_METHODS: Mapping[str, CamMethod] = {
    "gradcam": grad_cam,
    "gradcam++": grad_cam_plus_plus,
    "hirescam": hires_cam,
    "layercam": layer_cam,
    "xgradcam": xgrad_cam,
    "eigencam": eigen_cam,
}
INPUT_METHODS: Mapping[str, InputMethod] = {
    "integrated-gradients": integrated_gradients,
    "occlusion": occlusion,
}
# How a figure calls them.
METHODS: Mapping[str, str] = {
    "gradcam": "Grad-CAM",
    "gradcam++": "Grad-CAM++",
    "hirescam": "HiResCAM",
    "layercam": "LayerCAM",
    "xgradcam": "XGrad-CAM",
    "eigencam": "Eigen-CAM",
    "integrated-gradients": "Integrated gradients",
    "occlusion": "Occlusion",
}
