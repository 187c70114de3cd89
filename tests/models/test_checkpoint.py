import json
import os
import signal
import time
from pathlib import Path

import pytest
import torch

from histocli.atomic_files import remove_temporary_files
from histocli.errors import InputError
from histocli.models.checkpoint import load_card, load_model, load_tensors, save_model, save_tensors
from histocli.models.classifier import ModelCard, StainChoice, TileClassifier
from histocli.models.preprocessing import PreprocessingConstants, Standardization

CONSTANTS = PreprocessingConstants(32, (0.5, 0.4, 0.3), (0.2, 0.25, 0.3))


@pytest.fixture
def run(tmp_path: Path) -> Path:
    card = ModelCard(
        "test_efficientnet", ("a", "b"), "b", CONSTANTS, StainChoice("macenko"), {"threshold": 0.4}
    )
    torch.manual_seed(0)
    save_model(tmp_path, TileClassifier(card), card)
    return tmp_path


def test_a_saved_model_predicts_the_same(run: Path) -> None:
    model, card = load_model(run)
    again, _ = load_model(run)
    assert card == load_card(run)
    tiles = torch.randint(0, 256, (2, 3, 40, 40), dtype=torch.uint8)
    assert torch.equal(model(tiles), again(tiles))
    assert not model.training


@pytest.mark.parametrize("name", ["best_model.safetensors", "best_model.json"])
def test_a_damaged_or_absent_file_is_named(run: Path, name: str) -> None:
    content = (run / name).read_bytes()
    (run / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match=name):
        load_model(run)
    (run / name).unlink()
    with pytest.raises(InputError, match=name):
        load_model(run)


def test_weights_of_another_model_are_refused(run: Path) -> None:
    content = json.loads((run / "best_model.json").read_text())
    content["architecture"] = "test_resnet"
    (run / "best_model.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match="do not fit"):
        load_model(run)


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("architecture", "test_effiicientnet"),
        ("stain", {"method": "macenk"}),
        ("network", {"pooling": "median"}),
        ("network", {"stem_stride": 4}),
        ("network", ["center"]),
    ],
)
def test_a_description_of_an_unknown_model_is_named(run: Path, key: str, name: object) -> None:
    content = json.loads((run / "best_model.json").read_text())
    (run / "best_model.json").write_text(json.dumps({**content, key: name}))
    with pytest.raises(InputError, match=r"best_model\.json"):
        load_model(run)


def test_a_description_from_before_networks_could_be_changed_is_read(run: Path) -> None:
    content = json.loads((run / "best_model.json").read_text())
    del content["network"]
    card = load_card(run)
    (run / "best_model.json").write_text(json.dumps(content))
    assert load_card(run) == card


def test_standardization_resizes_and_centres() -> None:
    tiles = torch.full((1, 3, 8, 8), 0.5)
    result = Standardization(CONSTANTS)(tiles)
    assert result.shape == (1, 3, 32, 32)
    expected = [(0.5 - m) / s for m, s in zip(CONSTANTS.mean, CONSTANTS.std, strict=True)]
    torch.testing.assert_close(result.mean(dim=(0, 2, 3)), torch.tensor(expected))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_process_killed_while_it_saves_leaves_nothing_that_is_not_removed(tmp_path: Path) -> None:
    path = tmp_path / "last.safetensors"
    # Each too small for threads, which a forked process does not have.
    tensors = {f"layer{number}": torch.arange(20_000.0) for number in range(100)}
    save_tensors(path, tensors)
    for moment in range(20):
        process = os.fork()
        if process == 0:
            while True:
                save_tensors(path, tensors)
        time.sleep(0.03 + 0.003 * moment)
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
    remove_temporary_files(tmp_path)
    assert [found.name for found in tmp_path.iterdir()] == ["last.safetensors"]
    assert torch.equal(load_tensors(path)["layer99"], tensors["layer99"])


def test_weights_have_the_rights_of_any_file(tmp_path: Path) -> None:
    save_tensors(tmp_path / "best_model.safetensors", {"weight": torch.zeros(2)})
    (tmp_path / "other").touch()
    rights = (tmp_path / "best_model.safetensors").stat().st_mode
    assert rights == (tmp_path / "other").stat().st_mode


@pytest.mark.parametrize("name", ["..", "", ".", "/a", "a/b", "../b", 3])
def test_a_member_that_leads_elsewhere_is_refused(run: Path, name: object) -> None:
    content = json.loads((run / "best_model.json").read_text())
    (run / "best_model.json").write_text(json.dumps({**content, "members": [name]}))
    with pytest.raises(InputError, match="inside it"):
        load_model(run)


def test_an_ensemble_of_itself_is_refused(run: Path) -> None:
    content = json.loads((run / "best_model.json").read_text())
    (run / "best_model.json").write_text(json.dumps({**content, "members": ["again"]}))
    (run / "again").symlink_to(run, target_is_directory=True)
    with pytest.raises(InputError, match="an ensemble in an ensemble"):
        load_model(run)
