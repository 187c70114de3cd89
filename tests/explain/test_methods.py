"""Every method against pytorch-grad-cam where both have it, on a CNN and a ViT, and against rules."""

import numpy as np
import pytest
import pytorch_grad_cam as peer
import timm
import torch
from numpy.typing import NDArray
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import Tensor, nn

from histocli.explain.capture import capture, held_still
from histocli.explain.layers import find_layer
from histocli.explain.methods import CAM_METHODS, INPUT_METHODS, METHODS
from histocli.explain.methods.eigencam import eigen_cam
from histocli.explain.methods.integrated_gradients import path_attribution
from histocli.explain.methods.occlusion import occlusion
from histocli.explain.scores.enlarging import enlarge

PEERS = {
    "gradcam": peer.GradCAM,
    "gradcam++": peer.GradCAMPlusPlus,
    "hirescam": peer.HiResCAM,
    "layercam": peer.LayerCAM,
    "xgradcam": peer.XGradCAM,
    "eigencam": peer.EigenCAM,
}
NETWORKS = {"test_resnet": 96, "test_vit": 160}
# Of the highest value of a map.
TOLERANCE = 1e-5


def tokens_as_map(tokens: Tensor) -> Tensor:
    """What users of pytorch-grad-cam write by hand for a ViT with a class token."""
    return tokens[:, 1:, :].reshape(len(tokens), 10, 10, -1).transpose(2, 3).transpose(1, 2)


@pytest.fixture(scope="module", params=NETWORKS)
def network(request: pytest.FixtureRequest) -> nn.Module:
    torch.manual_seed(0)
    # Float64, because sums of a transformer's activations nearly cancel, and XGrad-CAM divides by them.
    return timm.create_model(request.param, num_classes=3).eval().double()


def tiles_for(network: nn.Module) -> Tensor:
    side = NETWORKS["test_vit" if hasattr(network, "blocks") else "test_resnet"]
    return torch.randn(3, 3, side, side, generator=torch.Generator().manual_seed(1)).double()


def our_maps(network: nn.Module, method: str, tiles: Tensor) -> NDArray[np.float32]:
    with held_still(network):
        layer = find_layer(network, tiles.shape[-1])
        with capture(layer.module) as captured:
            scores = network(tiles)[:, 1]
            gradients = layer.arrangement.feature_map(captured.gradient(scores))
            maps = CAM_METHODS[method](layer.arrangement.feature_map(captured.output()), gradients)
    return maps.detach().numpy()


def their_explainer(network: nn.Module, method: str, module: nn.Module) -> peer.GradCAM:
    reshape = tokens_as_map if hasattr(network, "blocks") else None
    return PEERS[method](network, [module], reshape_transform=reshape)


def their_maps(network: nn.Module, method: str, tiles: Tensor) -> NDArray[np.float32]:
    """Before pytorch-grad-cam scales each map to its range."""
    module = find_layer(network, tiles.shape[-1]).module
    targets = [ClassifierOutputTarget(1)] * len(tiles)
    with their_explainer(network, method, module) as explainer:
        explainer(tiles, targets)
        taken = explainer.activations_and_grads
        activations = taken.activations[0].numpy()
        gradients = taken.gradients[0].numpy() if taken.gradients else activations
        raw = explainer.get_cam_image(
            tiles, module, targets, activations, gradients, eigen_smooth=False
        )
    return np.asarray(raw)


def test_the_registries_and_the_names_agree() -> None:
    assert [*CAM_METHODS, *INPUT_METHODS] == list(METHODS)
    assert set(PEERS) == set(CAM_METHODS)


@pytest.mark.parametrize("method", [name for name in CAM_METHODS if name != "eigencam"])
def test_maps_are_pytorch_grad_cams(network: nn.Module, method: str) -> None:
    tiles = tiles_for(network)
    ours = our_maps(network, method, tiles)
    theirs = np.maximum(their_maps(network, method, tiles), 0)
    assert theirs.max() > 0
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=TOLERANCE * theirs.max())


@pytest.mark.parametrize("method", [name for name in CAM_METHODS if name != "eigencam"])
def test_enlarged_maps_are_what_pytorch_grad_cam_returns(network: nn.Module, method: str) -> None:
    tiles = tiles_for(network)
    side = tiles.shape[-1]
    ours = enlarge(our_maps(network, method, tiles).astype(np.float64), side, side)
    lowest, highest = ours.min(axis=(1, 2), keepdims=True), ours.max(axis=(1, 2), keepdims=True)
    with their_explainer(network, method, find_layer(network, side).module) as explainer:
        theirs = explainer(tiles, [ClassifierOutputTarget(1)] * len(tiles))
    # They scale each map to its range.
    np.testing.assert_allclose((ours - lowest) / (highest - lowest), theirs, rtol=0, atol=TOLERANCE)


def test_eigen_cam_is_pytorch_grad_cams_up_to_the_sign_of_a_component(network: nn.Module) -> None:
    tiles = tiles_for(network)
    ours = our_maps(network, "eigencam", tiles)
    theirs = their_maps(network, "eigencam", tiles)
    for our, their in zip(ours, theirs, strict=True):
        same, opposite = (np.maximum(sign * their, 0) for sign in (1, -1))
        chosen = same if np.abs(our - same).max() < np.abs(our - opposite).max() else opposite
        np.testing.assert_allclose(our, chosen, rtol=0, atol=TOLERANCE * np.abs(their).max())


def test_eigen_cam_marks_the_places_that_are_active() -> None:
    features = torch.rand(1, 6, 4, 4, generator=torch.Generator().manual_seed(0)) * 0.1
    features[:, :3, 1, 2] += 5
    for sign in (1, -1):
        found = eigen_cam(sign * features, features)
        assert found.flatten().argmax() == 6


@pytest.mark.parametrize("method", CAM_METHODS)
def test_no_activity_and_no_gradient_give_no_evidence_and_no_nan(method: str) -> None:
    nothing, something = torch.zeros(1, 4, 3, 3), torch.rand(1, 4, 3, 3)
    for activations, gradients in ((nothing, nothing), (nothing, something)):
        assert not CAM_METHODS[method](activations, gradients).any()
    assert CAM_METHODS[method](something, nothing).isfinite().all()
    # A channel whose activity cancels, and a denominator of Grad-CAM++ that does.
    cancelling = torch.tensor([-1e-7, 0.0, 0.0, 0.0]).reshape(1, 1, 2, 2)
    assert CAM_METHODS[method](cancelling, torch.ones(1, 1, 2, 2)).isfinite().all()


def smooth_score(tiles: Tensor) -> Tensor:
    return (tiles[:, 0, 2:5, 2:5] ** 2).sum(dim=(1, 2)) - tiles[:, 1].sum(dim=(1, 2)) / 10


def test_integrated_gradients_add_up_to_the_rise_of_the_score() -> None:
    tiles = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    signed = path_attribution(smooth_score, tiles, 32)
    rise = smooth_score(tiles) - smooth_score(torch.ones_like(tiles))
    torch.testing.assert_close(signed.sum(dim=(1, 2)), rise, rtol=1e-4, atol=1e-4)


def test_occlusion_finds_the_square_that_the_score_is_made_of() -> None:
    tiles = torch.zeros(1, 3, 24, 24)
    tiles[:, :, 12:16, 4:8] = 1

    def score(given: Tensor) -> Tensor:
        return given[:, 0, 12:16, 4:8].mean(dim=(1, 2))

    found = occlusion(score, tiles)[0]
    assert found[12:16, 4:8].min() > 0
    assert not found[:, 12:].any()
    assert found.argmax().item() in [
        24 * row + column for row in range(12, 16) for column in range(4, 8)
    ]


@pytest.mark.parametrize("method", INPUT_METHODS)
def test_methods_of_the_tile_give_a_value_for_each_pixel(method: str) -> None:
    found = INPUT_METHODS[method](smooth_score, torch.rand(2, 3, 9, 13))
    assert found.shape == (2, 9, 13)
    assert (found >= 0).all()
