"""The layer that is found without being named, over the families of timm."""

import pytest
import timm
import torch

from histocli.errors import SettingsError
from histocli.explain.layers import find_layer
from histocli.models.architectures import find_architecture

FAMILIES = (
    "resnet18",
    "mobilenetv3_small_050",
    "densenet121",
    "regnetx_002",
    "convnext_atto",
    "efficientnet_b0",
    "ghostnet_050",
)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_convolutional_network_is_explained_at_its_last_feature_map(name: str) -> None:
    network = timm.create_model(name, num_classes=2).eval()
    layer = find_layer(network, 96)
    assert layer.grid == (3, 3)
    # What is pooled: the features that timm itself calls the last ones.
    taken: list[torch.Tensor] = []
    handle = layer.module.register_forward_hook(lambda *given: taken.append(given[-1].clone()))
    tiles = torch.rand(1, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        last = network.forward_features(tiles)
    handle.remove()
    torch.testing.assert_close(taken[-1], last)


def test_our_architectures_are_explained_where_they_decide() -> None:
    assert find_layer(find_architecture("resnet50").build(2).eval(), 64).name == "layer4.attention"
    layer = find_layer(find_architecture("efficientnet").build(2).eval(), 64)
    assert layer.name.startswith(("head.", "backbone.bn2"))


@pytest.mark.parametrize(
    ("name", "layer", "grid"),
    [
        # Decides from its class token: the other tokens matter up to the last attention.
        ("test_vit", "blocks.5.norm1", (10, 10)),
        # Four registers before the tokens of the grid, which are averaged.
        ("vit_wee_patch16_reg1_gap_256", "blocks.13", (16, 16)),
        ("mixer_s32_224", "norm", (7, 7)),
    ],
)
def test_a_network_of_tokens_is_explained_where_they_last_matter(
    name: str, layer: str, grid: tuple[int, int]
) -> None:
    network = timm.create_model(name, num_classes=2).eval()
    found = find_layer(network, network.default_cfg["input_size"][-1])
    assert (found.name, found.grid) == (layer, grid)
    assert not any(module._forward_hooks for module in network.modules())  # noqa: SLF001


def test_shifted_windows_are_explained_at_their_last_map() -> None:
    network = timm.create_model(
        "swin_tiny_patch4_window7_224",
        num_classes=2,
        embed_dim=24,
        depths=(1, 1, 1, 1),
        num_heads=(1, 2, 3, 4),
    ).eval()
    found = find_layer(network, 224)
    assert (found.name, found.grid) == ("norm", (7, 7))
    assert found.arrangement.kind == "channels_last"


def test_a_layer_of_a_token_network_with_a_feature_map_may_be_named() -> None:
    network = timm.create_model("test_vit", num_classes=2).eval()
    assert find_layer(network, 160, "patch_embed.proj").grid == (10, 10)


def test_a_name_far_from_any_lists_the_parts() -> None:
    network = find_architecture("test_resnet").build(2).eval()
    with pytest.raises(SettingsError, match=r"its parts are conv1, .*layer1"):
        find_layer(network, 64, "???")
