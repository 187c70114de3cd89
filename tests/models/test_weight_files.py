"""Weights as other people's programs write them."""

import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from histocli.errors import InputError
from histocli.models.architectures import find_architecture
from histocli.models.weight_files import network_inside, read_weight_file
from histocli.models.weights import load_weights

NAME = "resnet10t"
Tensors = dict[str, Tensor]


def below(prefix: str) -> Callable[[Tensors], object]:
    return lambda tensors: {f"{prefix}{name}": tensor for name, tensor in tensors.items()}


def lightning(tensors: Tensors) -> object:
    state = {f"model.backbone.{name}": tensor for name, tensor in tensors.items()}
    state |= {"criterion.weight": torch.ones(2), "metric.value": torch.zeros(())}
    return {"epoch": 3, "global_step": 9, "state_dict": state, "hyper_parameters": {"lr": 0.1}}


WRITERS: Mapping[str, Callable[[Tensors], object]] = {
    "plain": below(""),
    "data parallel": below("module."),
    "compiled": below("_orig_mod."),
    "Lightning": lightning,
    "timm": lambda tensors: {"arch": NAME, "state_dict": tensors, "epoch": 1},
    "deep": below("student.encoder.net."),
}


@pytest.fixture(scope="module")
def network() -> nn.Module:
    torch.manual_seed(0)
    built: nn.Module = timm.create_model(NAME, num_classes=7)
    return built


@pytest.mark.parametrize("writer", WRITERS)
def test_a_network_is_found_in_the_file(network: nn.Module, writer: str, tmp_path: Path) -> None:
    torch.save(WRITERS[writer](dict(network.state_dict())), tmp_path / "weights.ckpt")
    architecture = find_architecture(NAME)
    torch.manual_seed(1)
    own = architecture.build(2)
    head = own.get_parameter("fc.weight").clone()
    said = load_weights(own, architecture, str(tmp_path / "weights.ckpt"), offline=True, say=print)
    assert said.startswith("file weights.ckpt")
    expected = network.state_dict()
    for name, tensor in own.state_dict().items():
        if not name.startswith("fc."):
            assert torch.equal(tensor, expected[name]), name
    assert torch.equal(own.get_parameter("fc.weight"), head)


def test_torchvision_names_its_resnet_as_timm_does(tmp_path: Path) -> None:
    models = pytest.importorskip("torchvision.models")
    torch.manual_seed(2)
    theirs = models.resnet50(weights=None).state_dict()
    save_file(theirs, tmp_path / "resnet50.safetensors")
    architecture = find_architecture("resnet50")
    own = architecture.build(2)
    load_weights(own, architecture, str(tmp_path / "resnet50.safetensors"), offline=True, say=print)
    assert torch.equal(own.get_parameter("layer4.0.conv2.weight"), theirs["layer4.0.conv2.weight"])


def test_of_a_head_only_what_classifies_keeps_its_own(tmp_path: Path) -> None:
    """ConvNeXt's last norm lies below its head, and belongs to the features."""
    architecture = find_architecture("convnext_atto")
    theirs = architecture.build(2).state_dict()
    theirs["head.norm.weight"] = torch.full_like(theirs["head.norm.weight"], 3.0)
    save_file(theirs, tmp_path / "convnext.safetensors")
    own = architecture.build(2)
    head = own.get_parameter("head.fc.weight").clone()
    load_weights(own, architecture, str(tmp_path / "convnext.safetensors"), offline=True, say=print)
    assert torch.equal(own.get_parameter("head.norm.weight"), theirs["head.norm.weight"])
    assert torch.equal(own.get_parameter("head.fc.weight"), head)


def test_what_has_no_place_is_said(network: nn.Module, tmp_path: Path) -> None:
    tensors = {**network.state_dict(), "projector.weight": torch.ones(3)}
    save_file(tensors, tmp_path / "more.safetensors")
    architecture = find_architecture(NAME)
    said = load_weights(
        architecture.build(2),
        architecture,
        str(tmp_path / "more.safetensors"),
        offline=True,
        say=print,
    )
    assert said == "file more.safetensors; not used: projector.weight"


def test_a_network_cut_short_is_refused_with_its_share(network: nn.Module, tmp_path: Path) -> None:
    tensors = dict(list(network.state_dict().items())[:20])
    save_file(tensors, tmp_path / "short.safetensors")
    architecture = find_architecture(NAME)
    own = architecture.build(2)
    before = {name: tensor.clone() for name, tensor in own.state_dict().items()}
    with pytest.raises(InputError, match=r"lacks .*\(20 of \d+ tensors fit\)"):
        load_weights(
            own, architecture, str(tmp_path / "short.safetensors"), offline=True, say=print
        )
    assert all(torch.equal(tensor, before[name]) for name, tensor in own.state_dict().items())


def test_a_file_without_tensors_is_refused(tmp_path: Path) -> None:
    torch.save({"epoch": 3}, tmp_path / "empty.pth")
    with pytest.raises(InputError, match=r"no tensors|read safely"):
        read_weight_file(tmp_path / "empty.pth")


def test_the_name_with_the_most_tensors_wins() -> None:
    one = torch.ones(1)
    tensors = {"ema.a": one, "ema.b": one, "online.a": one, "loss": one}
    assert network_inside(tensors, {"a", "b"}).keys() == {"a", "b"}
    assert network_inside({"x": one}, {"a"}).keys() == {"x"}


def test_a_file_that_unpacks_to_more_than_it_is_is_refused(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(100_000)}, tmp_path / "stored.pth")
    assert read_weight_file(tmp_path / "stored.pth")["a"].shape == (100_000,)
    with (
        zipfile.ZipFile(tmp_path / "stored.pth") as stored,
        zipfile.ZipFile(tmp_path / "bomb.pth", "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        for name in stored.namelist():
            packed.writestr(name, stored.read(name))
    with pytest.raises(InputError, match=r"bomb\.pth: .* unpacks to more than it is"):
        read_weight_file(tmp_path / "bomb.pth")


def test_members_that_share_their_bytes_are_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.pth", "w") as archive:
        archive.writestr("archive/data/0", bytes(10_000))
        for number in range(1, 9):
            shared = zipfile.ZipInfo(f"archive/data/{number}")
            shared.CRC, shared.header_offset = archive.infolist()[0].CRC, 0
            shared.file_size = shared.compress_size = 10_000
            archive.filelist.append(shared)
    with pytest.raises(InputError, match=r"bomb\.pth: .* unpacks to more than it is"):
        read_weight_file(tmp_path / "bomb.pth")


def test_a_zip_cut_short_is_refused(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(1000)}, tmp_path / "cut.pth")
    content = (tmp_path / "cut.pth").read_bytes()
    (tmp_path / "cut.pth").write_bytes(content[:2000])
    with pytest.raises(InputError, match=r"cut\.pth: not a weight file .* cut short"):
        read_weight_file(tmp_path / "cut.pth")
