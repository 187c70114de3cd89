"""`histo explain` on a run with random weights."""

import json
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import torch
import typer
from PIL import Image
from torch import nn
from typer.testing import CliRunner

from histocli.atomic_files import write_csv
from histocli.cli.explain import explain
from histocli.data.layouts import open_source
from histocli.data.loading import SkippedTile
from histocli.data.phantom import write_phantom
from histocli.errors import InputError, SettingsError
from histocli.explain.explain import explain_tiles
from histocli.models.checkpoint import save_model
from histocli.models.classifier import ModelCard, TileClassifier
from histocli.models.preprocessing import PreprocessingConstants
from histocli.run_record import RunRecord

CONSTANTS = PreprocessingConstants(64, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
CARD = ModelCard(
    "efficientnet",
    ("normal", "tumor"),
    "tumor",
    CONSTANTS,
    operating_point={"threshold": 0.5},
    test_time_augmentation="d4",
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_phantom(folder, tiles=60, seed=3)
    return folder


@pytest.fixture(scope="module")
def untrained() -> TileClassifier:
    torch.manual_seed(0)
    return TileClassifier(CARD).eval()


@pytest.fixture(scope="module")
def model(untrained: TileClassifier) -> TileClassifier:
    """Its head has an opinion; one that starts at zero has none."""
    changed = deepcopy(untrained)
    generator = torch.Generator().manual_seed(1)
    for module in changed.network.get_submodule("head").modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.normal_(module.weight, generator=generator)
    return changed


def make_run(folder: Path, data: Path, model: TileClassifier) -> Path:
    run = folder / "runs" / "tried"
    run.mkdir(parents=True)
    RunRecord("train", {}, {"data": {"path": str(data)}}, seed=0, device="cpu").write(run)
    rows = [[tile.id, tile.label, tile.group, tile.split] for tile in open_source(data).tiles]
    write_csv(run / "splits.csv", ["tile", "label", "group", "split"], rows)
    save_model(run, model, CARD)
    return run


def test_the_command_explains_a_split(tmp_path: Path, data: Path, model: TileClassifier) -> None:
    run = make_run(tmp_path, data, model)
    app = typer.Typer()
    app.command()(explain)
    asked = [str(run), "--device", "cpu", "--tiles", "6", "--pictures", "2", "--json", "--quiet"]
    outcome = CliRunner().invoke(app, asked)
    assert outcome.exit_code == 0, outcome.output
    facts = json.loads(outcome.stdout)
    output = run / "explanation"
    written = json.loads((output / "attention.json").read_text())
    assert {key: facts[key] for key in written} == written
    assert (written["split"], written["tiles"]) == ("test", 6)
    assert [group["n"] for group in written["groups"].values()] == [3, 3]
    assert written["explained"] == {"rule": "positive class", "class": "tumor"}
    assert written["test_time_augmentation"] == "d4"
    assert (output / "gradcam_analysis.png").is_file()
    wrong = CliRunner().invoke(app, [str(run), "--layer", "head.clasifier", "--quiet"])
    assert wrong.exit_code == 2
    assert "did you mean head.classifier" in wrong.output + wrong.stderr


def test_maps_of_another_selection_are_removed(
    tmp_path: Path, data: Path, model: TileClassifier
) -> None:
    source = open_source(data / "valid")
    for indices in ([0, 1, 2], [1, 3]):
        skipped: list[SkippedTile] = []
        explain_tiles(
            model, CARD, source, indices, tmp_path, skipped=skipped, pictures=1, views="none"
        )
        assert not skipped
    maps = {path.relative_to(tmp_path).as_posix() for path in (tmp_path / "maps").rglob("*.png")}
    assert maps == {f"maps/{source.tiles[index].id}" for index in (1, 3)}


def test_a_model_that_has_seen_nothing_gives_empty_maps_that_are_counted(
    tmp_path: Path, data: Path, untrained: TileClassifier
) -> None:
    source = open_source(data / "valid")
    result = explain_tiles(
        untrained, CARD, source, [0, 1], tmp_path, skipped=[], pictures=2, views="none"
    )
    group = result["groups"]["normal"]
    assert group["n"] == group["empty_maps"] == 2
    assert group["center_share"]["reason"] == "every map is empty"
    written = json.loads((tmp_path / "attention.json").read_text())
    assert written["groups"]["normal"]["center_share"]["value"] is None
    first = (tmp_path / "attention.csv").read_text().splitlines()[1]
    assert f",,,maps/{source.tiles[0].id}" in first
    with Image.open(tmp_path / "maps" / source.tiles[0].id) as attention:
        assert attention.mode == "L"
        assert not np.asarray(attention).any()


def test_wrong_input_is_refused_before_anything_is_written(
    tmp_path: Path, data: Path, untrained: TileClassifier
) -> None:
    source = open_source(data / "valid")
    other = ModelCard("efficientnet", ("benign", "tumor"), "tumor", CONSTANTS)
    with pytest.raises(InputError, match="does not know the label 'normal'"):
        explain_tiles(untrained, other, source, [0], tmp_path, skipped=[])
    with pytest.raises(SettingsError, match="unknown method 'magic'"):
        explain_tiles(untrained, CARD, source, [0], tmp_path, skipped=[], method="magic")
    assert not any(tmp_path.iterdir())
