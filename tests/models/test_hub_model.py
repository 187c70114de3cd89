"""Descriptions of models by people whom nobody knows: what they may ask of timm."""

import json
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
import timm

from histocli.errors import InputError
from histocli.models.architectures import find_architecture

NAME = "hf-hub:somebody/model"


def described(folder: Path, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
    """As if a description had been fetched."""
    config = {"input_size": [3, 32, 32], "mean": [0.5] * 3, "std": [0.5] * 3}
    content = {"architecture": "test_vit", "pretrained_cfg": config, **changes}
    (folder / "config.json").write_text(json.dumps(content))
    monkeypatch.setattr(
        huggingface_hub, "try_to_load_from_cache", lambda *_: str(folder / "config.json")
    )


def test_options_of_the_network_are_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = {"img_size": [32, 32], "reg_tokens": 2, "class_token": True, "init_values": None}
    described(tmp_path, monkeypatch, model_args=options, global_pool="token")
    network = find_architecture(NAME).build(3)
    assert network.num_classes == 3
    assert network.num_reg_tokens == 2


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("checkpoint_path", "evil.pth"),
        ("pretrained", True),
        ("pretrained_cfg", {"file": "evil.pth"}),
        ("pretrained_cfg_overlay", {"url": "http://localhost/evil.pth"}),
        ("cache_dir", "cache"),
        ("scriptable", True),
        ("exportable", True),
        ("img_size", {"a": 32}),
        ("img_size", [32, {}]),
    ],
)
def test_options_of_timm_itself_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str, value: object
) -> None:
    monkeypatch.setattr(timm, "create_model", lambda *_, **__: pytest.fail("it was built"))
    described(tmp_path, monkeypatch, model_args={key: value})
    with pytest.raises(InputError, match=rf"config\.json: .*its option {key}"):
        find_architecture(NAME).build(2)


def test_pooling_is_checked_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    described(tmp_path, monkeypatch, global_pool={"a": "b"})
    with pytest.raises(InputError, match=r"config\.json: .*its option global_pool"):
        find_architecture(NAME)
