"""Foundation models as their authors publish them: size, width of the features, names of the tensors."""

import re
from pathlib import Path

import pytest
import torch
from torch import Tensor

from histocli.errors import SettingsError
from histocli.models.architecture_facts import architecture_facts, names_like
from histocli.models.architectures import ARCHITECTURES, FOUNDATION_MODELS, find_architecture
from histocli.models.architectures.token_classifier import TokenClassifier
from histocli.models.architectures.transformers_names import timm_names
from histocli.models.weight_files import read_weight_file
from histocli.models.weights import load_weights

# Millions of parameters and numbers a tile, from the papers and model pages.
PUBLISHED = {
    "uni": (303, 1024),
    "uni2": (681, 1536),
    "virchow": (631, 2560),
    "virchow2": (631, 2560),
    "phikon": (86, 768),
    "phikon2": (303, 1024),
    "h-optimus-0": (1135, 1536),
    "h-optimus-1": (1135, 1536),
    "gigapath": (1135, 1536),
    "midnight": (1135, 3072),
}


@pytest.mark.parametrize("name", FOUNDATION_MODELS)
def test_size_and_features_are_the_published_ones(name: str) -> None:
    millions, width = PUBLISHED[name]
    facts = architecture_facts(find_architecture(name))
    assert facts.parameters / 1e6 == pytest.approx(millions, abs=0.6)
    assert facts.license
    assert facts.page.startswith("https://huggingface.co/")
    with torch.device("meta"):
        network = FOUNDATION_MODELS[name].build(2)
        features = network.pooled_features(torch.zeros(1, 3, 224, 224))
    assert features.shape == (1, width)


def test_class_token_and_mean_leave_the_registers_out() -> None:
    import timm

    torch.manual_seed(0)
    backbone = timm.create_model(
        "test_vit", num_classes=0, global_pool="token", reg_tokens=2, img_size=64
    ).eval()
    network = TokenClassifier(backbone, "class+mean", 3)
    tiles = torch.randn(2, 3, 64, 64)
    tokens = backbone.forward_features(tiles)
    features = network.pooled_features(tiles)
    width = tokens.shape[-1]
    torch.testing.assert_close(features[:, :width], tokens[:, 0])
    torch.testing.assert_close(features[:, width:], tokens[:, 3:].mean(dim=1))


def test_a_repository_names_its_model() -> None:
    assert find_architecture("hf-hub:MahmoodLab/UNI").name == "uni"
    with pytest.raises(SettingsError, match="hf download"):
        find_architecture("hf-hub:nobody/nothing")
    with pytest.raises(SettingsError, match="OWNER/NAME"):
        find_architecture("hf-hub:nothing")


@pytest.mark.parametrize("name", ["phikon", "phikon2"])
def test_names_of_transformers_become_those_of_timm(name: str, tmp_path: Path) -> None:
    """Every tensor of a file of the library finds its place; the answers are then the same."""
    transformers = pytest.importorskip("transformers")
    options: dict[str, float] = {
        "hidden_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 3,
        "image_size": 32,
    }
    # As timm has it; transformers' smaller one tells random weights apart, not trained ones.
    options |= {"layer_norm_eps": 1e-6}
    if name == "phikon":
        config = transformers.ViTConfig(**options, intermediate_size=192, patch_size=16)
        theirs = transformers.ViTModel(config, add_pooling_layer=False)
    else:
        theirs = transformers.Dinov2Model(transformers.Dinov2Config(**options, patch_size=16))
    import timm

    ours = timm.create_model(
        "vit_tiny_patch16_224",
        img_size=32,
        embed_dim=48,
        depth=2,
        num_heads=3,
        num_classes=0,
        init_values=1e-5 if name == "phikon2" else None,
    )
    theirs.save_pretrained(tmp_path)
    ours.load_state_dict(timm_names(read_weight_file(tmp_path / "model.safetensors")))
    tiles = torch.randn(2, 3, 32, 32)
    ours.eval(), theirs.eval()
    with torch.no_grad():
        expected = theirs(tiles).last_hidden_state
        torch.testing.assert_close(ours.forward_features(tiles), expected, atol=1e-4, rtol=0)


def test_query_key_and_value_become_one_matrix() -> None:
    tensors: dict[str, Tensor] = {
        f"vit.encoder.layer.3.attention.attention.{part}.weight": torch.full((2, 2), float(number))
        for number, part in enumerate(("query", "key", "value"))
    }
    tensors["vit.encoder.layer.3.attention.output.dense.bias"] = torch.ones(2)
    tensors["vit.embeddings.cls_token"] = torch.ones(1, 1, 2)
    tensors["pooler.dense.weight"] = torch.ones(2, 2)
    renamed = timm_names(tensors)
    assert renamed.keys() == {"blocks.3.attn.qkv.weight", "blocks.3.attn.proj.bias", "cls_token"}
    assert renamed["blocks.3.attn.qkv.weight"][:, 0].tolist() == [0, 0, 1, 1, 2, 2]


def test_without_access_the_message_says_how_to_get_it() -> None:
    architecture = find_architecture("uni")
    with torch.device("meta"):
        network = architecture.build(2)
    message = re.escape("huggingface.co/MahmoodLab/UNI") + ".*hf auth login"
    with pytest.raises(SettingsError, match=message):
        load_weights(network, architecture, "auto", offline=True, say=print)


def test_names_of_a_pattern() -> None:
    assert names_like(None) == [*ARCHITECTURES, *FOUNDATION_MODELS]
    assert names_like("vit_anything") == ["vit_anything"]
    assert "resnet18" in names_like("resnet1*")
