"""Grad-CAM through our capture, against pytorch-grad-cam's own arrays and against plain autograd."""

import numpy as np
import pytest
import torch
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import Tensor, nn

from histocli.errors import SettingsError
from histocli.explain.capture import capture, held_still
from histocli.explain.layers import find_layer
from histocli.explain.methods import CAM_METHODS
from histocli.explain.methods.gradcam import grad_cam
from histocli.models.architectures import find_architecture


class SmallNetwork(nn.Module):
    """Convolutions, then an in-place activation after the layer that is explained."""

    def __init__(self, side: int = 4) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 6, 3, stride=2, padding=1), nn.BatchNorm2d(6))
        self.features = nn.Conv2d(6, 8, 3, stride=2, padding=1)
        self.activation = nn.ReLU(inplace=True)
        self.unused = nn.Conv2d(3, 3, 1)
        self.head = nn.Linear(8 * side * side, 3)

    def forward(self, tiles: Tensor) -> Tensor:
        logits: Tensor = self.head(self.activation(self.features(self.stem(tiles))).flatten(1))
        return logits


def small_network(seed: int) -> SmallNetwork:
    torch.manual_seed(seed)
    return SmallNetwork().eval()


def noise(count: int, side: int) -> Tensor:
    return torch.randn(count, 3, side, side, generator=torch.Generator().manual_seed(side))


def our_maps(network: nn.Module, module: nn.Module, tiles: Tensor, target: int) -> Tensor:
    with held_still(network), capture(module) as captured:
        scores = network(tiles)[:, target]
        return CAM_METHODS["gradcam"](captured.output(), captured.gradient(scores)).detach()


def their_maps(network: nn.Module, module: nn.Module, tiles: Tensor, target: int) -> np.ndarray:
    """Of pytorch-grad-cam, before it scales each map to its range."""
    targets = [ClassifierOutputTarget(target)] * len(tiles)
    with GradCAM(network, [module]) as peer:
        peer(tiles, targets)
        taken = peer.activations_and_grads
        activations = taken.activations[0].numpy()
        gradients = taken.gradients[0].numpy()
        raw = peer.get_cam_image(tiles, module, targets, activations, gradients)
    return np.maximum(raw, 0)


@pytest.mark.parametrize("seed", range(3))
def test_raw_maps_of_a_small_network_are_pytorch_grad_cams(seed: int) -> None:
    network = small_network(seed)
    for target in range(3):
        ours = our_maps(network, network.activation, noise(4, 16), target)
        theirs = their_maps(network, network.activation, noise(4, 16), target)
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_raw_maps_of_resnet50_are_pytorch_grad_cams() -> None:
    torch.manual_seed(0)
    network = find_architecture("resnet50").build(2).eval()
    for layer in (None, "layer3.5", "layer2"):
        found = find_layer(network, 64, layer)
        highest = 0.0
        for target in range(2):
            ours = our_maps(network, found.module, noise(2, 64), target)
            theirs = their_maps(network, found.module, noise(2, 64), target)
            np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5 * theirs.max())
            highest = max(highest, float(theirs.max()))
        assert highest > 0


def test_maps_are_those_of_plain_autograd_although_a_later_layer_works_in_place() -> None:
    network = small_network(7).double()
    tiles = noise(3, 16).double()
    ours = our_maps(network, network.features, tiles, 2).numpy()
    for number in range(len(tiles)):
        features = network.features(network.stem(tiles[number : number + 1])).detach()
        features.requires_grad_()
        score = network.head(features.clamp(min=0).flatten(1))[0, 2]
        score.backward()
        expected = np.zeros((4, 4))
        assert features.grad is not None
        for channel in range(8):
            weight = features.grad[0, channel].sum().item() / 16
            expected += weight * features[0, channel].detach().numpy()
        np.testing.assert_allclose(ours[number], np.maximum(expected, 0), atol=1e-12)


def test_an_empty_layer_gives_an_empty_map() -> None:
    nothing = torch.zeros(2, 4, 3, 3)
    assert not grad_cam(nothing, nothing).any()
    assert not grad_cam(nothing, torch.rand(2, 4, 3, 3)).any()


def test_training_mode_and_gradients_are_restored_even_after_an_error() -> None:
    network = small_network(0).train()
    network.stem[1].eval()
    network.head.bias.requires_grad_(False)
    statistics = network.stem[1].state_dict()
    kept = {name: value.clone() for name, value in statistics.items()}

    def explain_and_fail() -> None:
        with held_still(network):
            network(noise(2, 16))
            assert not network.features.training
            assert not any(weight.requires_grad for weight in network.parameters())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        explain_and_fail()
    assert network.features.training
    assert not network.stem[1].training
    assert not network.head.bias.requires_grad
    assert network.features.weight.requires_grad
    assert all(torch.equal(statistics[name], kept[name]) for name in kept)


def test_a_forward_pass_that_fails_leaves_no_hook() -> None:
    network = small_network(0)
    with pytest.raises(RuntimeError), capture(network.features):
        network(noise(1, 40))
    with pytest.raises(RuntimeError):
        find_layer(network, 40)
    assert not any(module._forward_hooks for module in network.modules())  # noqa: SLF001


def test_a_layer_that_is_not_used_is_named_as_such() -> None:
    with pytest.raises(SettingsError, match="does not use this layer"):
        find_layer(small_network(0), 16, "unused")
