import gc
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import nn

from histocli.errors import SettingsError
from histocli.explain.capture import held_still
from histocli.explain.layers import find_layer
from histocli.explain.maps import BatchMaps, Choice, Explainer, attention_maps
from histocli.explain.methods import CAM_METHODS, INPUT_METHODS, METHODS
from histocli.explain.scores.enlarging import enlarge
from histocli.models.architectures import find_architecture
from histocli.models.classifier import ModelCard, TileClassifier
from histocli.models.ensemble import EnsembleClassifier
from histocli.models.preprocessing import PreprocessingConstants

CONSTANTS = PreprocessingConstants(64, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


def classifier(architecture: str, seed: int = 0, side: int = 64) -> TileClassifier:
    torch.manual_seed(seed)
    constants = replace(CONSTANTS, input_size_px=side)
    model = TileClassifier(ModelCard(architecture, ("a", "b"), "b", constants))
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


def explained(model: TileClassifier, given: torch.Tensor, index: int, **how: str) -> BatchMaps:
    views = how.pop("views", "none")
    with held_still(model):
        explainer = Explainer.of(model, how.get("method", "gradcam"), how.get("layer"))
        return attention_maps(explainer, given, always(index), views=views)


def hooks_of(model: nn.Module) -> int:
    return sum(len(m._forward_hooks) + len(m._backward_hooks) for m in model.modules())  # noqa: SLF001


@pytest.mark.parametrize("architecture", ["resnet50", "efficientnet", "test_resnet"])
def test_maps_equal_those_of_pytorch_grad_cam(architecture: str) -> None:
    model = classifier(architecture)
    layer = find_layer(model.network, 64)
    prepared = model.standardization(model.prepare(tiles()))
    found = 0
    for index in range(2):
        large = enlarge(explained(model, tiles(), index).grids, 64, 64)
        with GradCAM(model.network, [layer.module]) as peer:
            theirs = peer(prepared, [ClassifierOutputTarget(index)] * 3, aug_smooth=False)
        scaled = large - large.min(axis=(1, 2), keepdims=True)
        highest = scaled.max(axis=(1, 2), keepdims=True)
        # They scale each map to its range; one without evidence is empty.
        scaled /= np.where(highest > 0, highest, 1)
        np.testing.assert_allclose(scaled, theirs, rtol=0, atol=1e-5)
        found += int(np.count_nonzero(highest))
    assert found > 1


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


@pytest.mark.parametrize(
    "method",
    [*CAM_METHODS, *(pytest.param(name, marks=pytest.mark.slow) for name in INPUT_METHODS)],
)
def test_turning_the_tile_turns_the_map(method: str) -> None:
    model = classifier("test_resnet")
    straight = explained(model, tiles(1), 1, method=method, views="d4")
    turned = explained(model, tiles(1).rot90(1, (2, 3)), 1, method=method, views="d4")
    expected = np.rot90(straight.grids, 1, axes=(1, 2))
    np.testing.assert_allclose(turned.grids, expected, atol=1e-4 * expected.max())
    np.testing.assert_allclose(turned.probabilities, straight.probabilities, atol=1e-6)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("architecture", ["test_resnet", "test_vit"])
def test_maps_do_not_depend_on_the_batch(architecture: str, method: str) -> None:
    model = classifier(architecture, side=160 if architecture == "test_vit" else 64)
    together = explained(model, tiles(2), 1, method=method).grids
    alone = [explained(model, tile[None], 1, method=method).grids for tile in tiles(2)]
    assert together.max() > 0
    np.testing.assert_allclose(together, np.concatenate(alone), atol=1e-4 * together.max())


@pytest.mark.parametrize("method", METHODS)
def test_no_hook_stays_behind(method: str) -> None:
    model = classifier("test_resnet")
    before = [p.requires_grad for p in model.parameters()]
    for _ in range(2):
        explained(model, tiles(1), 0, method=method)
    assert hooks_of(model) == 0
    assert [p.requires_grad for p in model.parameters()] == before
    assert all(p.grad is None for p in model.parameters())


def test_nothing_of_a_batch_outlives_its_maps() -> None:
    model = classifier("test_resnet")
    explained(model, tiles(1), 0)
    gc.collect()
    before = sum(issubclass(type(each), torch.Tensor) for each in gc.get_objects())
    for _ in range(20):
        explained(model, tiles(1), 0)
    gc.collect()
    assert sum(issubclass(type(each), torch.Tensor) for each in gc.get_objects()) <= before


def test_a_flat_tile_gives_no_number_that_is_none() -> None:
    model = classifier("test_resnet")
    for method in METHODS:
        for grey in (0, 255):
            flat = torch.full((1, 3, 64, 64), grey, dtype=torch.uint8)
            assert np.isfinite(explained(model, flat, 1, method=method).grids).all()


def test_methods_of_the_tile_itself_take_no_layer_and_explain_ensembles() -> None:
    model = classifier("test_resnet")
    with pytest.raises(SettingsError, match="leave out --layer"):
        Explainer.of(model, "occlusion", "layer1")
    cards = [ModelCard("test_resnet", ("a", "b"), "b", CONSTANTS)] * 2
    ensemble = EnsembleClassifier([model, classifier("test_resnet", 1)], cards).eval()
    with pytest.raises(SettingsError, match="explain one of them"):
        Explainer.of(ensemble, "gradcam")
    maps = explained(ensemble, tiles(1), 1, method="occlusion").grids
    assert maps.shape == (1, 64, 64)
    assert maps.max() > 0


@pytest.mark.parametrize("name", ["efficientnet", "resnet50", "test_resnet", "test_convnext"])
def test_the_last_layer_with_a_grid_is_found(name: str) -> None:
    network = find_architecture(name).build(2).eval()
    layer = find_layer(network, 64)
    assert layer.grid == (2, 2)


def test_wrong_layers_are_refused() -> None:
    network = find_architecture("test_resnet").build(2).eval()
    with pytest.raises(SettingsError, match="unknown layer 'layer9'; did you mean layer"):
        find_layer(network, 64, "layer9")
    with pytest.raises(SettingsError, match="no feature map"):
        find_layer(network, 64, "fc")
