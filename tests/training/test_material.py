import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from histocli.data.layouts import open_source
from histocli.errors import SettingsError
from histocli.metrics.analyses import Material
from histocli.predictions import Predictions
from histocli.training.leaks import digests_of, shared_groups, shared_tiles
from histocli.training.material import AnalysisRequest, gather
from histocli.training.recorded_splits import RecordedTile, labels_of_training, recorded_tiles
from histocli.training.subgroup_columns import subgroup_columns
from histocli.training.use import UseSettings, predict_split
from tests.training.conftest import Train

Gather = Callable[..., Material]


def silent(stage: str, total: int) -> Callable[[int], None]:
    del stage, total
    return lambda _: None


@pytest.fixture
def run(train: Train) -> Path:
    return train(epochs=1).run


@pytest.fixture
def gathered(run: Path) -> Gather:
    """Material for a request, of the test split of a small run."""
    use = UseSettings("cpu", 16, "as-trained", 1, strict=False)
    predictions, card, _ = predict_split(run, None, "test", use, silent)

    def gather_for(**request: object) -> Material:
        asked = replace(AnalysisRequest(), **request)  # type: ignore[arg-type]
        return gather(run, None, "test", predictions, card, asked, use, silent)

    return gather_for


def test_without_a_request_no_tile_is_read_again(
    gathered: Gather, run: Path, phantom: Path, tmp_path: Path
) -> None:
    away = tmp_path / "away"
    shutil.move(phantom, away)
    try:
        material = gathered()
    finally:
        shutil.move(away, phantom)
    assert material.valid is not None
    assert material.threshold is not None
    assert material.columns == {}
    assert material.undisturbed is None
    assert material.color is None
    assert material.train_labels is not None
    assert len(material.train_labels) == sum(t.split == "train" for t in recorded_tiles(run))


def test_a_run_without_its_validation_table_predicts_it_once(gathered: Gather, run: Path) -> None:
    table = run / "validation.csv"
    before = Predictions.read(table)
    table.unlink()
    assert gathered().valid is None
    assert not table.exists()
    material = gathered(at="sensitivity=0.9")
    assert material.valid is not None
    assert [rule.text for rule in material.rules] == ["sensitivity=0.9"]
    again = Predictions.read(table)
    assert (again.tiles, again.predicted) == (before.tiles, before.predicted)
    np.testing.assert_allclose(again.probabilities, before.probabilities, atol=1e-5)


def test_sanity_brings_color_and_looks_for_twins(gathered: Gather) -> None:
    material = gathered(sanity=True, by="stain-look,group")
    assert material.color is not None
    labelled = len(material.columns["group"])
    assert material.color.shape == (labelled, 2)
    np.testing.assert_allclose(material.color.sum(axis=1), 1)
    assert set(material.columns["stain-look"]) <= {"brown", "purple", "too little tissue"}
    assert material.warnings == []


def test_a_column_that_is_not_there_is_refused_with_those_that_are(gathered: Gather) -> None:
    with pytest.raises(SettingsError, match=r"group, label.*stain-look, tissue, qc"):
        gathered(by="laboratory")
    with pytest.raises(SettingsError, match=r"--qc qc\.csv"):
        gathered(by="qc")


def test_the_verdicts_of_a_check_are_a_column(phantom: Path, tmp_path: Path) -> None:
    source = open_source(phantom)
    table = tmp_path / "qc.csv"
    first, second = source.tiles[0].id, source.tiles[1].id
    table.write_text(f"tile,verdict,reasons\n{first},fail,blur;pen\n{second},pass,\n")
    columns = subgroup_columns(["qc", "label"], source, [0, 1], table, silent)
    assert columns["qc"] == ["blur", "passed"]
    assert columns["label"] == [source.tiles[0].label, source.tiles[1].label]


def test_groups_of_another_split_are_warned_of() -> None:
    recorded = [
        RecordedTile("a", "slide 1", "train"),
        RecordedTile("a", "slide 2", "test"),
        RecordedTile("b", "slide 3", "valid"),
        RecordedTile("b", "", "train"),
    ]
    (warning,) = shared_groups(recorded, ["slide 1", "slide 2", None], "test")
    assert warning.startswith("1 of the 2 groups of test are in train too (slide 1)")
    assert shared_groups(recorded, ["slide 2", None], "test") == []
    assert labels_of_training(recorded, ["a", "b"]) is not None
    assert labels_of_training([], ["a"]) is None


def test_twins_are_told_by_their_pixels(tmp_path: Path, phantom: Path) -> None:
    data = tmp_path / "twins"
    shutil.copytree(phantom, data)
    source = open_source(data)
    tests = [place for place, tile in enumerate(source.tiles) if tile.split == "test"]
    trains = [place for place, tile in enumerate(source.tiles) if tile.split == "train"]
    own = digests_of(source, tests, lambda _: None, 1)
    assert shared_tiles(own, {"train": digests_of(source, trains, lambda _: None, 1)}, "test") == []
    shutil.copy(data / source.tiles[tests[0]].id, data / source.tiles[trains[0]].id)
    others = {"train": digests_of(open_source(data), trains, lambda _: None, 1)}
    (warning,) = shared_tiles(own, others, "test")
    assert source.tiles[tests[0]].id not in warning
    assert "train" in warning
