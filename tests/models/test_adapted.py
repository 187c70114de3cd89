from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import nn

from histocli.errors import SettingsError
from histocli.models.architectures import NetworkOptions, adapted, find_architecture
from histocli.models.architectures.center_pooling import STRENGTH, CenterPooling
from histocli.models.linear_head import last_layer
from histocli.models.weights import load_weights

CENTER = NetworkOptions(pooling="center")
STRIDE_1 = NetworkOptions(stem_stride=1)


def maps(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("strength", [0.0, 0.4, -0.2])
def test_center_pooling_is_the_weighted_mean_of_its_definition(strength: float) -> None:
    pooling = CenterPooling()
    nn.init.constant_(pooling.get_parameter(STRENGTH), strength)
    features = maps(2, 3, 4, 6)
    expected = np.zeros((2, 3))
    total = 0.0
    for row in range(4):
        for column in range(6):
            # In sixths of a side, from the middle of the tile to that of the place.
            down, right = ((row + 0.5) / 4 - 0.5) * 6, ((column + 0.5) / 6 - 0.5) * 6
            weight = np.exp(-strength * (down**2 + right**2))
            expected += weight * features[:, :, row, column].double().numpy()
            total += weight
    np.testing.assert_allclose(
        pooling(features).detach().numpy(), expected / total, rtol=0, atol=1e-5
    )


def test_center_pooling_learns_where_the_evidence_is() -> None:
    pooling = CenterPooling()
    features = torch.zeros(1, 1, 6, 6)
    features[..., 2:4, 2:4] = 1.0
    optimizer = torch.optim.SGD(pooling.parameters(), lr=1.0)
    for _ in range(20):
        optimizer.zero_grad()
        (-pooling(features).sum()).backward()
        optimizer.step()
    assert pooling.get_parameter(STRENGTH).item() > 0.2
    assert pooling(features).item() > 2 * 4 / 36


@pytest.mark.parametrize(
    "name", ["efficientnet", "resnet50", "mobilenetv3_small_100", "regnety_002", "convnext_atto"]
)
def test_center_pooling_begins_as_the_network_that_it_changes(name: str) -> None:
    plain = find_architecture(name).build(3).eval()
    # Ours votes with zeros at first, wherever the votes are cast.
    nn.init.normal_(last_layer(plain).weight)
    changed = adapted(find_architecture(name), CENTER).build(3).eval()
    missing, unexpected = changed.load_state_dict(plain.state_dict(), strict=False)
    assert [key.rpartition(".")[2] for key in missing] == [STRENGTH]
    assert not unexpected
    pixels = maps(2, 3, 128, 128)
    with torch.inference_mode():
        torch.testing.assert_close(changed(pixels), plain(pixels), atol=1e-5, rtol=0)
        nn.init.constant_(changed.get_parameter(missing[0]), 1.0)
        assert not torch.allclose(changed(pixels), plain(pixels), atol=1e-5)


@pytest.mark.parametrize("name", ["test_vit", "swin_tiny_patch4_window7_224"])
def test_center_pooling_is_refused_where_no_single_map_is_averaged(name: str) -> None:
    architecture = adapted(find_architecture(name), CENTER)
    with pytest.raises(SettingsError, match=f"--pooling center: {name} does not take the mean"):
        architecture.build(2)


def test_pretrained_weights_fit_an_adapted_network(tmp_path: Path) -> None:
    save_file(timm.create_model("resnet18").state_dict(), tmp_path / "resnet18.safetensors")
    architecture = adapted(find_architecture("resnet18"), NetworkOptions("center", 1))
    network = architecture.build(2)
    weights = str(tmp_path / "resnet18.safetensors")
    said = load_weights(network, architecture, weights, offline=True, say=print)
    assert said == "file resnet18.safetensors"


def test_stem_of_stride_1_sees_what_lies_between() -> None:
    torch.manual_seed(0)
    plain = timm.create_model("resnet18").eval()
    changed = adapted(find_architecture("resnet18"), STRIDE_1).build(1000).eval()
    changed.load_state_dict(plain.state_dict())
    pixels = maps(1, 3, 64, 64)
    with torch.inference_mode():
        every, second = changed.conv1(pixels), plain.conv1(pixels)  # type: ignore[operator]
    assert every.shape[-1] == 2 * second.shape[-1] == 64
    torch.testing.assert_close(every[..., ::2, ::2], second)


def test_stem_of_stride_1_gives_half_a_tile_the_maps_of_a_whole_one() -> None:
    plain = find_architecture("efficientnet")
    changed = adapted(plain, STRIDE_1)
    assert changed.input_size_px == plain.input_size_px // 2
    assert changed.grid_px == plain.grid_px // 2
    sizes = []
    for architecture in (plain, changed):
        backbone = architecture.build(2).eval().get_submodule("backbone")
        with torch.inference_mode():
            sizes.append(
                backbone(maps(1, 3, architecture.input_size_px, architecture.input_size_px)).shape
            )
    assert sizes[0] == sizes[1]


@pytest.mark.parametrize("name", ["test_vit", "convnext_atto", "vgg11"])
def test_stem_stride_is_refused_where_there_is_no_such_stem(name: str) -> None:
    with pytest.raises(SettingsError, match=f"--stem-stride 1: {name} does not begin"):
        adapted(find_architecture(name), STRIDE_1).build(2)


def test_nothing_changed_is_the_architecture_itself() -> None:
    architecture = find_architecture("efficientnet")
    assert adapted(architecture, NetworkOptions()) is architecture
