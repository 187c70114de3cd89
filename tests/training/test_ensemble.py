"""Runs trained apart, answering as one."""

import shutil
import socket
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from histocli.atomic_files import write_json
from histocli.errors import SettingsError
from histocli.models.checkpoint import load_card
from histocli.predictions import Predictions
from histocli.training.api import run_training
from histocli.training.ensemble import make_ensemble
from histocli.training.folds import Fold
from histocli.training.predict import work_identity
from histocli.training.use import UseSettings, predict_source, predict_split
from tests.training.conftest import SilentMonitor
from tests.training.test_cross_validation import request, splits_of

USE = UseSettings("cpu", 16, "as-trained", 1, strict=False)


@pytest.fixture(scope="module")
def runs(phantom: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("runs")
    for seed in (0, 1):
        one = request(phantom, folder, f"seed-{seed}")
        run_training(replace(one, options=replace(one.options, seed=seed)), SilentMonitor())
    one = request(phantom, folder, "fold")
    run_training(replace(one, fold=Fold(1, 3, 5)), SilentMonitor())
    return [folder / name for name in ("seed-0", "seed-1", "fold")]


def joined(runs: Sequence[Path], parent: Path, *, overwrite: bool = False) -> dict[str, object]:
    return make_ensemble(
        runs, parent, operating_point="youden", calibration="temperature", overwrite=overwrite
    )


def test_the_answer_is_the_mean_of_the_members(runs: list[Path], tmp_path: Path) -> None:
    joined(runs[:2], tmp_path / "both")
    tables = [
        predict_split(run, None, "test", USE, lambda *_: lambda _: None)[0]
        for run in (*runs[:2], tmp_path / "both")
    ]
    mean = (tables[0].probabilities + tables[1].probabilities) / 2
    np.testing.assert_allclose(tables[2].probabilities, mean, atol=1e-6)
    valid = Predictions.read(tmp_path / "both" / "validation.csv")
    assert set(valid.tiles) == {
        tile for tile, split in splits_of(tmp_path / "both").items() if split == "valid"
    }
    assert load_card(tmp_path / "both").operating_point["chosen_by"].startswith("Youden")


def test_a_source_is_predicted_and_begun_anew_when_a_member_changed(
    runs: list[Path], phantom: Path, tmp_path: Path
) -> None:
    joined(runs[:2], tmp_path / "both")
    table = tmp_path / "p.csv"
    facts = predict_source(
        tmp_path / "both", phantom / "test", table, USE, lambda *_: lambda _: None
    )
    assert facts["tiles"] == len(Predictions.read(table).tiles) > 0
    before = work_identity(tmp_path / "both", "tiles")
    shutil.copyfile(
        runs[1] / "best_model.safetensors", tmp_path / "both/seed-0/best_model.safetensors"
    )
    assert work_identity(tmp_path / "both", "tiles") != before


def test_a_tile_that_a_member_was_trained_on_is_of_training(
    runs: list[Path], tmp_path: Path
) -> None:
    joined([runs[0], runs[2]], tmp_path / "mixed")
    one, other, both = (splits_of(run) for run in (runs[0], runs[2], tmp_path / "mixed"))
    assert any(one[tile] != other[tile] for tile in one)
    for tile, split in both.items():
        assert split == (one[tile] if one[tile] == other[tile] else "train")


def test_what_cannot_answer_as_one_is_refused(runs: list[Path], tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="two or more"):
        joined([runs[0], runs[0]], tmp_path / "once")
    joined(runs[:2], tmp_path / "both")
    with pytest.raises(SettingsError, match="ensemble itself"):
        joined([runs[2], tmp_path / "both"], tmp_path / "nested")
    with pytest.raises(SettingsError, match="exists"):
        joined(runs[:2], tmp_path / "both")
    assert not (tmp_path / "nested").exists()


def test_an_ensemble_is_there_whole_or_not_at_all(
    runs: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    joined(runs[:2], tmp_path / "both")
    before = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*"))
    (tmp_path / f".both.tmp-{socket.gethostname()}-999999999").mkdir()

    def fails(*_: object) -> None:
        raise OSError("killed")

    with monkeypatch.context() as patch:
        patch.setattr("histocli.training.ensemble.finish_joined", fails)
        with pytest.raises(OSError, match="killed"):
            joined(runs[:2], tmp_path / "both", overwrite=True)
    # What another process left half made is gone, the earlier ensemble is as it was.
    assert sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*")) == before
    joined(runs[:2], tmp_path / "both", overwrite=True)
    assert sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*")) == before


def test_members_with_other_views_of_a_tile_are_refused(runs: list[Path], tmp_path: Path) -> None:
    shutil.copytree(runs[1], tmp_path / "other")
    card = load_card(tmp_path / "other")
    other = replace(card, test_time_augmentation="d4")
    write_json(tmp_path / "other/best_model.json", other.to_json())
    with pytest.raises(SettingsError, match="test-time augmentation d4"):
        joined([runs[0], tmp_path / "other"], tmp_path / "both")
