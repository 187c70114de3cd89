"""Nothing that a stranger wrote is executed."""

import ast
import io
import json
import os
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import histocli
from histocli.cli.app import app
from histocli.data.layouts import open_source
from histocli.data.phantom import write_phantom
from histocli.errors import InputError, SettingsError
from histocli.models.architectures import find_architecture
from histocli.models.checkpoint import load_model, save_model
from histocli.models.classifier import ModelCard, TileClassifier
from histocli.models.preprocessing import PreprocessingConstants
from histocli.models.weight_files import read_weight_file
from histocli.training.features import read_features
from histocli.training.state import load_state

FILES = sorted(Path(histocli.__file__).parent.rglob("*.py"))
FORBIDDEN_MODULES = {"pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "yaml"}
FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__"}


class Attack:
    """Makes a folder when it is unpickled."""

    def __init__(self, proof: Path) -> None:
        self.proof = proof

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.proof),)


def test_the_attack_works_where_pickles_are_executed(tmp_path: Path) -> None:
    torch.save(Attack(tmp_path / "proof"), tmp_path / "attack.pth")
    torch.load(tmp_path / "attack.pth", weights_only=False)
    assert (tmp_path / "proof").is_dir()


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("suffix", [".pth", ".pt", ".ckpt", ".bin", ".safetensors"])
def test_a_weight_file_with_code_is_refused(tmp_path: Path, suffix: str, zipped: bool) -> None:
    path = tmp_path / f"weights{suffix}"
    content = {"state_dict": {"conv.weight": torch.ones(2)}, "more": Attack(tmp_path / "proof")}
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(InputError, match=rf"weights{suffix}: not a weight file .* read safely"):
        read_weight_file(path)
    assert not (tmp_path / "proof").exists()


def test_train_refuses_such_weights_with_the_exit_code_of_an_unusable_input(tmp_path: Path) -> None:
    write_phantom(tmp_path / "data", tiles=60, seed=1)
    torch.save({"a": Attack(tmp_path / "proof")}, tmp_path / "weights.pth")
    options = ["--arch", "test_efficientnet", "--weights", str(tmp_path / "weights.pth")]
    options += ["--runs", str(tmp_path / "runs"), "--offline", "--device", "cpu"]
    result = CliRunner().invoke(app, ["train", str(tmp_path / "data"), *options])
    assert result.exit_code == 3, result.output
    assert "weights.pth" in result.stderr
    assert not (tmp_path / "proof").exists()


def write_tar(path: Path, members: dict[str, bytes]) -> None:
    with tarfile.open(path, "w") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


def test_weights_in_a_tar_are_refused(tmp_path: Path) -> None:
    """The format of torch before 0.2, of three pickles."""
    torch.save(Attack(tmp_path / "proof"), tmp_path / "a", _use_new_zipfile_serialization=False)
    content = (tmp_path / "a").read_bytes()
    members = dict.fromkeys(("sys_info", "storages", "tensors", "pickle"), content)
    write_tar(tmp_path / "weights.pth", members)
    with pytest.raises(InputError, match=r"weights\.pth: not a weight file .* read safely"):
        read_weight_file(tmp_path / "weights.pth")
    assert not (tmp_path / "proof").exists()


def test_a_data_set_in_a_tar_is_no_data_set(tmp_path: Path) -> None:
    write_tar(tmp_path / "data.tar", {"tumor/a.png": b"", "../../escape.png": b""})
    with pytest.raises(InputError, match=r"data\.tar: no tiles found"):
        open_source(tmp_path / "data.tar")
    assert [path.name for path in tmp_path.iterdir()] == ["data.tar"]


@pytest.mark.parametrize("name", ["os:system", "os.system", "hf-hub:os:system"])
def test_a_setting_never_names_code(tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingsError):
        find_architecture(name)
    with pytest.raises(SettingsError, match="unknown layout"):
        open_source(tmp_path, name)
    with pytest.raises(SettingsError, match="no such weight file"):
        read_weight_file(Path(name))


def test_a_run_never_names_code(tmp_path: Path) -> None:
    constants = PreprocessingConstants(32, (0.5, 0.5, 0.5), (0.2, 0.2, 0.2))
    card = ModelCard("test_efficientnet", ("a", "b"), "b", constants)
    save_model(tmp_path, TileClassifier(card), card)
    path = tmp_path / "best_model.json"
    path.write_text(json.dumps({**card.to_json(), "architecture": "os:system"}))
    with pytest.raises(InputError, match=r"best_model\.json: .*os:system"):
        load_model(tmp_path)


@pytest.mark.parametrize("name", ["best_model.safetensors", "last.safetensors"])
def test_a_file_of_a_run_with_code_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "best_model.json").write_text("{}")
    torch.save({"a": Attack(tmp_path / "proof")}, tmp_path / name)
    with pytest.raises(InputError):
        load_model(tmp_path) if name.startswith("best") else load_state(tmp_path)
    assert not (tmp_path / "proof").exists()


def test_kept_features_with_code_are_computed_again(tmp_path: Path) -> None:
    path = tmp_path / "features.npz"
    objects = np.array([Attack(tmp_path / "proof")], dtype=object)
    np.savez(path, names=objects, features=objects, unreadable=objects)
    assert read_features(path) is None
    assert not (tmp_path / "proof").exists()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_no_source_executes_data(path: Path) -> None:
    wrong = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            wrong += [each.name for each in node.names if each.name in FORBIDDEN_MODULES]
        elif isinstance(node, ast.ImportFrom) and node.module in FORBIDDEN_MODULES:
            wrong.append(node.module)
        elif isinstance(node, ast.Call):
            wrong += unsafe_call(node)
    assert wrong == []


def unsafe_call(node: ast.Call) -> list[str]:
    """What is unsafe in a call."""
    name = ast.unparse(node.func)
    options = {each.arg: ast.unparse(each.value) for each in node.keywords}
    if name in FORBIDDEN_CALLS:
        return [name]
    if name in ("torch.load", "load_state_dict", "torch.hub.load_state_dict_from_url"):
        return [] if options.get("weights_only") == "True" else [f"{name} without weights_only"]
    if options.get("allow_pickle", "False") != "False":
        return [f"{name} allows pickle"]
    if name.endswith(("extractall", ".unpack_archive")):
        return [] if "filter" in options else [f"{name} without a filter"]
    if options.get("shell", "False") != "False" or name in ("os.system", "os.popen"):
        return [f"{name} runs a shell"]
    return []


@pytest.mark.parametrize(
    "source",
    [
        "eval(text)",
        "torch.load(path)",
        "np.load(path, allow_pickle=True)",
        "archive.extractall(folder)",
        "subprocess.run(text, shell=True)",
    ],
)
def test_the_check_finds_what_is_unsafe(source: str) -> None:
    node = ast.parse(source, mode="eval").body
    assert isinstance(node, ast.Call)
    assert unsafe_call(node)
