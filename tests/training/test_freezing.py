"""Which layers keep their weights."""

import pytest
import timm
import torch
from torch import nn

from histocli.errors import SettingsError
from histocli.models.architectures import find_architecture
from histocli.training.freezing import keep_first_stages


def learning(network: nn.Module) -> set[str]:
    return {name for name, weight in network.named_parameters() if weight.requires_grad}


@pytest.mark.parametrize(
    ("stages", "stays", "learns"),
    [
        (0, (), ("backbone.conv_stem.weight",)),
        (1, ("backbone.conv_stem.", "backbone.bn1."), ("backbone.blocks.0.",)),
        (
            3,
            ("backbone.conv_stem.", "backbone.bn1.", "backbone.blocks.0.", "backbone.blocks.1."),
            ("backbone.blocks.2.",),
        ),
    ],
)
def test_the_stem_and_the_stages_after_it_are_kept(
    stages: int, stays: tuple[str, ...], learns: tuple[str, ...]
) -> None:
    network = find_architecture("efficientnet").build(2)
    every = learning(network)
    keep_first_stages(network, stages)
    kept = every - learning(network)
    assert {name for name in every if name.startswith(stays)} == kept
    assert all(any(name.startswith(part) for name in learning(network)) for part in learns)
    assert "head.classifier.weight" in learning(network)


def test_kept_stages_get_no_gradient_and_their_statistics_still_follow_the_tiles() -> None:
    torch.manual_seed(0)
    network = timm.create_model("test_resnet", num_classes=2)
    keep_first_stages(network, 2)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    optimizer = torch.optim.SGD([w for w in network.parameters() if w.requires_grad], 0.1)
    torch.autograd.backward(network(torch.randn(4, 3, 64, 64)).square().sum())
    optimizer.step()
    after = network.state_dict()
    assert torch.equal(after["layer1.0.conv1.weight"], before["layer1.0.conv1.weight"])
    assert not torch.equal(
        after["layer2.0.downsample.1.weight"], before["layer2.0.downsample.1.weight"]
    )
    assert not torch.equal(after["layer1.0.bn1.running_mean"], before["layer1.0.bn1.running_mean"])


def test_attention_that_starts_from_random_weights_learns_in_a_kept_stage() -> None:
    architecture = find_architecture("resnet50")
    network = architecture.build(2)
    keep_first_stages(network, 2, architecture.added)
    first = {name for name in learning(network) if name.startswith("layer1.")}
    assert first
    assert all(architecture.added[0] in f".{name}" for name in first)


def test_more_stages_than_there_are_is_wrong_and_says_how_many() -> None:
    network = timm.create_model("test_resnet", num_classes=2)
    keep_first_stages(network, 5, (".fc.",))
    assert learning(network) == {"fc.weight", "fc.bias"}
    with pytest.raises(SettingsError, match="--keep-stages 6: this architecture has 5; keep fewer"):
        keep_first_stages(network, 6, (".fc.",))
    with pytest.raises(SettingsError, match="not known"):
        keep_first_stages(nn.Sequential(nn.Linear(2, 2)), 1)
