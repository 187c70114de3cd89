import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from histocli.errors import InputError, InterruptedRunError, SettingsError
from histocli.metrics.definitions.auroc import auroc
from histocli.models.checkpoint import load_model
from histocli.predictions import Predictions
from histocli.training.api import TrainRequest
from histocli.training.cross_validation import cross_validate
from histocli.training.export_run import has_validation
from histocli.training.plan import RunOptions
from histocli.training.use import UseSettings, predict_split
from tests.training.conftest import PLAN, SilentMonitor


def request(data: Path, runs: Path, name: str = "cv", **changes: Any) -> TrainRequest:
    return TrainRequest(
        data=data,
        plan=replace(PLAN, epochs=1, **changes),
        explicit=frozenset(),
        options=RunOptions(runs, 0, 2, offline=True),
        name=name,
        device="cpu",
        resume=False,
        overwrite=False,
        dry_run=False,
        find_data=lambda named: named or data,
    )


def splits_of(run: Path) -> dict[str, str]:
    rows = (run / "splits.csv").read_text().splitlines()[1:]
    return {row.split(",")[0]: row.rsplit(",", 1)[1] for row in rows}


def test_each_tile_is_predicted_by_the_model_that_has_not_seen_it(
    phantom: Path, tmp_path: Path
) -> None:
    facts = cross_validate(request(phantom, tmp_path), SilentMonitor(), folds=2, repeats=1)
    parent = tmp_path / "cv"
    # Each tile is of training for one of them: an export is compared on these.
    assert not has_validation(parent)
    assert has_validation(parent / "fold-1")
    tables = [Predictions.read(parent / f"fold-{k}" / "validation.csv") for k in (1, 2)]
    joined = Predictions.read(parent / "out_of_fold.csv")
    assert not set(tables[0].tiles) & set(tables[1].tiles)
    assert set(joined.tiles) == set(tables[0].tiles) | set(tables[1].tiles)
    first = splits_of(parent / "fold-1")
    for table, split in ((tables[0], "valid"), (tables[1], "train")):
        assert {first[tile] for tile in table.tiles} == {split}
    # Whole groups only.
    assert not ({*tables[0].groups} & {*tables[1].groups}) - {None}
    positive = joined.classes.index("tumor")
    labels = [label == "tumor" for label in joined.labels]
    expected = roc_auc_score(labels, joined.probabilities[:, positive])
    assert facts["out_of_fold_auroc"] == pytest.approx(expected)
    assert facts["valid_auroc_mean"] == pytest.approx(
        np.mean([auroc(t.label_indices == 1, t.probabilities[:, 1]) for t in tables])
    )
    assert "valid" not in set(splits_of(parent).values())


def test_the_folder_is_a_run_whose_model_is_the_mean_of_its_members(
    phantom: Path, tmp_path: Path
) -> None:
    cross_validate(request(phantom, tmp_path), SilentMonitor(), folds=1, repeats=2)
    parent = tmp_path / "cv"
    use = UseSettings("cpu", 16, "as-trained", None, strict=False)
    quiet: Any = lambda _stage, _tiles: lambda _number: None  # noqa: E731 - a callback
    together = predict_split(parent, None, "test", use, quiet)[0]
    alone = [
        predict_split(parent / f"model-seed-{seed}", None, "test", use, quiet)[0] for seed in (0, 1)
    ]
    mean = (alone[0].probabilities + alone[1].probabilities) / 2
    np.testing.assert_allclose(together.probabilities, mean, atol=1e-6)
    assert load_model(parent)[1].operating_point["threshold"] > 0


def test_the_same_command_continues_and_trains_no_fold_twice(phantom: Path, tmp_path: Path) -> None:
    class Stop(Exception):  # noqa: N818 - an interruption, no error
        pass

    def stop(stage: str) -> None:
        if stage.startswith("epoch 1 of") and (tmp_path / "cv" / "fold-2").exists():
            raise Stop

    with pytest.raises(Stop):
        cross_validate(request(phantom, tmp_path), SilentMonitor(stop), folds=2, repeats=1)
    before = (tmp_path / "cv" / "fold-1" / "best_model.safetensors").stat().st_mtime_ns
    monitor = SilentMonitor()
    cross_validate(request(phantom, tmp_path), monitor, folds=2, repeats=1)
    assert (tmp_path / "cv" / "fold-1" / "best_model.safetensors").stat().st_mtime_ns == before
    assert any("fold-1 has ended already" in line for line in monitor.said)
    summary = json.loads((tmp_path / "cv" / "cross_validation.json").read_text())
    assert [member["run"] for member in summary["members"]] == ["fold-1", "fold-2"]


def test_an_interruption_says_how_all_folds_continue(phantom: Path, tmp_path: Path) -> None:
    def interrupt(stage: str) -> None:
        if stage.startswith("epoch 1 of"):
            raise KeyboardInterrupt

    named = replace(request(phantom, tmp_path), name="two folds")
    said = "run the same command again with --name 'two folds' to continue"
    with pytest.raises(InterruptedRunError, match=said):
        cross_validate(named, SilentMonitor(interrupt), folds=2, repeats=1)


def test_more_folds_than_groups_are_refused(phantom: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="too few for 500 folds"):
        cross_validate(request(phantom, tmp_path), SilentMonitor(), folds=500, repeats=1)


def test_members_outside_the_folder_are_refused(phantom: Path, tmp_path: Path) -> None:
    cross_validate(request(phantom, tmp_path), SilentMonitor(), folds=1, repeats=2)
    path = tmp_path / "cv" / "best_model.json"
    card = json.loads(path.read_text())
    path.write_text(json.dumps({**card, "members": ["../elsewhere"]}))
    with pytest.raises(InputError, match="inside it"):
        load_model(tmp_path / "cv")


def test_without_a_name_nothing_is_continued_or_shared(
    phantom: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nameless = replace(request(phantom, tmp_path), name=None)
    for dry in (False, True):
        resumed = replace(nameless, resume=True, dry_run=dry)
        with pytest.raises(SettingsError, match="by --name"):
            cross_validate(resumed, SilentMonitor(), folds=2, repeats=1)
        with pytest.raises(InputError, match=r"misspelt: no such cross-validation"):
            cross_validate(replace(resumed, name="misspelt"), SilentMonitor(), folds=2, repeats=1)
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(SettingsError, match="give a --name"):
        cross_validate(nameless, SilentMonitor(), folds=2, repeats=1)
    assert not list(tmp_path.iterdir())


def test_overwriting_leaves_nothing_of_the_earlier_one(phantom: Path, tmp_path: Path) -> None:
    """Figures of other models, and folds that are no longer asked for, would be taken for the new ones."""
    asked = request(phantom, tmp_path)
    cross_validate(asked, SilentMonitor(), folds=3, repeats=1)
    parent = tmp_path / "cv"
    derived = parent / "evaluation" / "test" / "metrics.json"
    derived.parent.mkdir(parents=True)
    derived.write_text("{}")
    (parent / "notes").mkdir()
    (parent / "notes" / "mine.txt").write_text("keep")
    cross_validate(
        replace(asked, dry_run=True, overwrite=True), SilentMonitor(), folds=2, repeats=1
    )
    assert derived.exists()
    cross_validate(replace(asked, overwrite=True), SilentMonitor(), folds=2, repeats=1)
    assert not derived.exists()
    assert {path.name for path in parent.iterdir() if path.is_dir()} == {
        "fold-1",
        "fold-2",
        "notes",
    }
    assert (parent / "notes" / "mine.txt").read_text() == "keep"
    summary = json.loads((parent / "cross_validation.json").read_text())
    assert summary["folds"] == 2
    assert load_model(parent)[1].members == ("fold-1", "fold-2")
