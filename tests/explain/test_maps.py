import numpy as np
import pytest
import timm
import torch
from numpy.typing import NDArray
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import nn

from histocli.errors import SettingsError
from histocli.explain.capture import capture, held_still
from histocli.explain.layers import find_layer
from histocli.explain.maps import Choice, attention_maps
from histocli.explain.methods import CAM_METHODS
from histocli.explain.scores.enlarging import enlarge
from histocli.models.architectures import find_architecture
from histocli.models.classifier import ModelCard, TileClassifier
from histocli.models.preprocessing import PreprocessingConstants

CONSTANTS = PreprocessingConstants(64, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


def classifier(architecture: str, seed: int = 0) -> TileClassifier:
    torch.manual_seed(seed)
    model = TileClassifier(ModelCard(architecture, ("a", "b"), "b", CONSTANTS))
    for module in model.modules():
        # Heads that start at zero would give empty maps.
        if isinstance(module, nn.Conv2d | nn.Linear) and not module.weight.any():
            nn.init.normal_(module.weight)
    return model.eval()


def tiles(count: int = 3, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, 3, 64, 64), dtype=torch.uint8, generator=generator)


def always(index: int) -> Choice:
    def choose(probabilities: NDArray[np.float64]) -> NDArray[np.int64]:
        return np.full(len(probabilities), index, np.int64)

    return choose


def hooks_of(model: nn.Module) -> int:
    return sum(len(m._forward_hooks) + len(m._backward_hooks) for m in model.modules())  # noqa: SLF001


@pytest.mark.parametrize("architecture", ["resnet50", "efficientnet", "test_resnet"])
def test_maps_equal_those_of_pytorch_grad_cam(architecture: str) -> None:
    model = classifier(architecture)
    layer = find_layer(model.network, 64)
    with held_still(model):
        ours = attention_maps(model, tiles(), layer, CAM_METHODS["gradcam"], always(1)).grids
    prepared = model.standardization(model.prepare(tiles()))
    with GradCAM(model.network, [layer.module]) as peer:
        theirs = peer(prepared, [ClassifierOutputTarget(1)] * 3, aug_smooth=False)
    large = enlarge(ours, 64, 64)
    scaled = large - large.min(axis=(1, 2), keepdims=True)
    scaled /= scaled.max(axis=(1, 2), keepdims=True) + 1e-7
    # They scale the grid to its range first, enlarge it with OpenCV, and scale again.
    np.testing.assert_allclose(scaled, theirs, atol=1e-4)


def test_grad_cam_equals_the_slow_obvious_one() -> None:
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(2, 5, 3, 3, generator=generator, dtype=torch.float64)
    gradients = torch.randn(2, 5, 3, 3, generator=generator, dtype=torch.float64)
    ours = CAM_METHODS["gradcam"](features, gradients).numpy()
    for n in range(2):
        expected = np.zeros((3, 3))
        for c in range(5):
            expected += gradients[n, c].mean().item() * features[n, c].numpy()
        np.testing.assert_allclose(ours[n], np.maximum(expected, 0), atol=1e-12)


def test_a_map_without_evidence_is_zero_and_no_nan() -> None:
    features = torch.rand(1, 4, 3, 3)
    assert not CAM_METHODS["gradcam"](features, -torch.ones_like(features)).any()


def test_turning_the_tile_turns_the_map() -> None:
    model = classifier("efficientnet")
    layer = find_layer(model.network, 64)
    with held_still(model):
        straight = attention_maps(
            model, tiles(), layer, CAM_METHODS["gradcam"], always(1), views="d4"
        )
        turned = attention_maps(
            model, tiles().rot90(1, (2, 3)), layer, CAM_METHODS["gradcam"], always(1), views="d4"
        )
    expected = np.rot90(straight.grids, 1, axes=(1, 2))
    np.testing.assert_allclose(turned.grids, expected, atol=1e-5)
    np.testing.assert_allclose(turned.probabilities, straight.probabilities, atol=1e-6)


def test_maps_do_not_depend_on_the_batch() -> None:
    model = classifier("efficientnet")
    layer = find_layer(model.network, 64)
    with held_still(model):
        together = attention_maps(model, tiles(), layer, CAM_METHODS["gradcam"], always(1)).grids
        alone = [
            attention_maps(model, tile[None], layer, CAM_METHODS["gradcam"], always(1)).grids
            for tile in tiles()
        ]
    np.testing.assert_allclose(together, np.concatenate(alone), atol=1e-5)


def test_no_hook_stays_behind() -> None:
    model = classifier("test_resnet")
    before = [p.requires_grad for p in model.parameters()]
    layer = find_layer(model.network, 64)
    for _ in range(20):
        with held_still(model):
            attention_maps(model, tiles(1), layer, CAM_METHODS["gradcam"], always(0))
    with pytest.raises(ZeroDivisionError), capture(layer.module):
        raise ZeroDivisionError
    assert hooks_of(model) == 0
    assert [p.requires_grad for p in model.parameters()] == before


@pytest.mark.parametrize("name", ["efficientnet", "resnet50", "test_resnet", "test_convnext"])
def test_the_last_layer_with_a_grid_is_found(name: str) -> None:
    network = find_architecture(name).build(2).eval()
    layer = find_layer(network, 64)
    assert layer.grid == (2, 2)


def test_wrong_layers_and_token_models_are_refused() -> None:
    network = find_architecture("test_resnet").build(2).eval()
    with pytest.raises(SettingsError, match="unknown layer 'layer9'; did you mean layer"):
        find_layer(network, 64, "layer9")
    with pytest.raises(SettingsError, match="no feature map"):
        find_layer(network, 64, "fc")
    transformer = timm.create_model("test_vit").eval()
    with pytest.raises(SettingsError, match="tokens"):
        find_layer(transformer, 160)
