import json
import math
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from filelock import FileLock

from histocli.data.layouts import open_source
from histocli.data.phantom import write_phantom
from histocli.data.tiles import content_hash
from histocli.errors import (
    BusyOutputError,
    HistoError,
    InputError,
    InterruptedRunError,
    SettingsError,
    StoppedError,
)
from histocli.metrics.definitions.auroc import macro_auroc
from histocli.metrics.ranking import rank
from histocli.models.architectures import NetworkOptions
from histocli.models.checkpoint import load_model
from histocli.models.classifier import TileClassifier
from histocli.predictions import Predictions
from histocli.preparation.normalize import normalize_tiles
from histocli.preparation.setup import make_record
from histocli.run_record import RunRecord
from histocli.stain import MacenkoNormalizer
from histocli.stain.normalizers import NORMALIZERS, find_normalizer
from histocli.training.epoch import run_epoch
from histocli.training.order import shuffled
from histocli.training.setup import positive_class
from histocli.training.use import UseSettings, predict_source, predict_split
from tests.training.conftest import SilentMonitor, Train

USE = UseSettings("cpu", 16, "as-trained", None, strict=False)


def begin(stage: str, tiles: int) -> "type[None]":
    del stage, tiles
    return lambda _: None  # type: ignore[return-value]


def test_a_run_leaves_what_the_next_commands_need(train: Train) -> None:
    outcome = train(test_time_augmentation="d4")
    run = outcome.run
    names = {path.name for path in run.iterdir()}
    assert names >= {
        "run.json", "best_model.safetensors", "best_model.json", "last.safetensors", "last.json",
        "history.csv", "splits.csv", "skipped.csv",
    }  # fmt: skip
    record = RunRecord.read(run)
    assert record.state == "done"
    assert record.settings["arch"] == "test_efficientnet"
    assert len(record.inputs["data"]["sha256"]) == 64
    card = json.loads((run / "best_model.json").read_text())
    assert card["classes"] == ["normal", "tumor"]
    assert card["positive_class"] == "tumor"
    assert 0 < card["operating_point"]["threshold"] < 1
    assert card["calibration"]["temperature"] > 0
    assert not list(run.glob(".*.tmp-*"))
    # The phantom plants one truncated file among the training tiles.
    assert len((run / "skipped.csv").read_text().splitlines()) == 2


def test_a_changed_network_is_trained_kept_and_used(train: Train) -> None:
    run = train(pooling="center", stem_stride=1, input_size_px=64).run
    model, card = load_model(run)
    assert card.network == NetworkOptions("center", 1)
    assert model.network.get_parameter("global_pool.center_strength").item() != 0
    assert model.network.get_submodule("conv_stem").stride == (1, 1)
    predictions, _, _ = predict_split(run, None, "valid", USE, begin)
    known = Predictions.read(run / "validation.csv")
    np.testing.assert_allclose(predictions.probabilities, known.probabilities, rtol=0, atol=1e-6)


def test_the_same_seed_gives_the_same_bytes_for_any_number_of_workers(
    train: Train, tmp_path: Path
) -> None:
    tables = []
    for name, workers in (("a", 1), ("b", 3)):
        run = train(name, workers=workers, epochs=1).run
        predictions, _, _ = predict_split(run, None, "test", USE, begin)
        predictions.write(tmp_path / f"{name}.csv")
        tables.append((tmp_path / f"{name}.csv").read_bytes())
    assert tables[0] == tables[1]
    other = train("c", epochs=1, seed=1).run
    predict_split(other, None, "test", USE, begin)[0].write(tmp_path / "c.csv")
    assert (tmp_path / "c.csv").read_bytes() != tables[0]


@pytest.mark.parametrize(
    ("number", "stage", "batches", "error"),
    [
        (signal.SIGTERM, "epoch 1 of", 2, StoppedError),
        (signal.SIGUSR1, "epoch 2 of", 3, StoppedError),
        (signal.SIGTERM, "epoch 2: validating", 1, StoppedError),
        (signal.SIGINT, "epoch 1: validating", 1, InterruptedRunError),
        (signal.SIGUSR1, "choosing", 1, StoppedError),
    ],
)
def test_a_stopped_run_continues_after_its_last_step_to_the_same_weights(
    train: Train,
    number: signal.Signals,
    stage: str,
    batches: int,
    error: type[HistoError],
) -> None:
    mixing: dict[str, Any] = {
        "accumulate": 2,
        "mixup": 0.3,
        "rand_augment": 1,
        "sampling": "balanced",
    }
    undisturbed = train("undisturbed", **mixing).run
    seen = 0

    def interrupt(under_way: str) -> None:
        nonlocal seen
        seen += under_way.startswith(stage)
        if under_way.startswith(stage) and seen == batches:
            os.kill(os.getpid(), number)

    with pytest.raises(error, match="histo train --resume --name 'stopped here'"):
        train("stopped here", SilentMonitor(interrupt), **mixing)
    run = undisturbed.parent / "stopped here"
    assert RunRecord.read(run).state == "stopped"
    state = json.loads((run / "last.json").read_text())
    if "of" in stage:
        # Whole steps only: with two batches a step, an odd one is done again or waited for.
        assert 0 < state["epoch"]["batches"] < 6
        assert state["epoch"]["batches"] % 2 == 0
    train("stopped here", resume=True)
    for name in ("best_model.safetensors", "best_model.json", "splits.csv", "validation.csv"):
        assert (run / name).read_bytes() == (undisturbed / name).read_bytes(), name
    assert RunRecord.read(run).state == "done"


def test_a_tile_skipped_before_a_stop_is_listed_by_the_resumed_run(train: Train) -> None:
    """Nothing reads it again when all epochs were done already."""
    undisturbed = train("undisturbed", epochs=1).run

    def stop(under_way: str) -> None:
        if under_way.startswith("choosing"):
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(StoppedError):
        train("stopped", SilentMonitor(stop), epochs=1)
    run = train("stopped", resume=True).run
    assert (run / "skipped.csv").read_bytes() == (undisturbed / "skipped.csv").read_bytes()
    assert RunRecord.read(run).results["skipped"] == 1


def test_the_state_saved_within_an_epoch_is_enough_after_a_kill(train: Train) -> None:
    """As SIGKILL leaves it: nothing is written at the end, the last state was saved by the clock."""
    undisturbed = train("undisturbed").run
    often = {"checkpoint_minutes": 1e-9}

    class Killed(BaseException):
        pass

    def kill(under_way: str) -> None:
        if under_way.startswith("epoch 2 of") and state["batches"] == 3:
            raise Killed
        state["batches"] += under_way.startswith("epoch 2 of")

    state = {"batches": 0}
    with pytest.raises(Killed):
        train("killed", SilentMonitor(kill), options=often)
    run = undisturbed.parent / "killed"
    assert RunRecord.read(run).state == "running"
    assert json.loads((run / "last.json").read_text())["epoch"]["batches"] > 0
    train("killed", resume=True)
    for name in ("best_model.safetensors", "best_model.json", "validation.csv"):
        assert (run / name).read_bytes() == (undisturbed / name).read_bytes(), name


def test_a_run_that_another_process_trains_is_refused(train: Train) -> None:
    run = train("busy", epochs=1).run
    before = {path: path.read_bytes() for path in run.iterdir() if path.is_file()}
    with FileLock(run / ".lock"), pytest.raises(BusyOutputError, match="another process is train"):
        train("busy", overwrite=True)
    assert {path: path.read_bytes() for path in run.iterdir() if path.is_file()} == before


def test_what_a_killed_process_was_about_to_write_goes_when_the_run_continues(train: Train) -> None:
    def stop(under_way: str) -> None:
        if under_way.startswith("epoch 2 of"):
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(StoppedError) as stopped:
        train("killed", SilentMonitor(stop), epochs=2)
    assert "--name killed" in str(stopped.value)
    run = train("other", epochs=1).run.with_name("killed")
    (run / ".last.safetensors.tmp-12345").write_bytes(b"half of it")
    train("killed", resume=True)
    assert not list(run.glob(".*.tmp-*"))


def test_a_run_killed_while_it_is_begun_can_be_continued(
    train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as patch:
        patch.setattr("histocli.training.run.write_csv", killed)
        with pytest.raises(RuntimeError, match="killed"):
            train("killed", epochs=1)
    run = train("killed", resume=True, epochs=1).run
    assert RunRecord.read(run).state == "done"
    assert (run / "splits.csv").is_file()


@pytest.mark.parametrize("arch", ["test_resnet", "efficientnet", "test_vit"])
def test_the_head_of_a_frozen_backbone_is_the_logistic_regression_of_its_features(
    train: Train, tmp_path: Path, arch: str
) -> None:
    plan: dict[str, Any] = {"transfer": "frozen", "arch": arch, "input_size_px": None}
    plan |= {"test_time_augmentation": None, "recipe": "fast"}
    options = {"cache_folder": tmp_path / "cache"}
    first, again = SilentMonitor(), SilentMonitor()
    run = train("first", first, options=options, **plan).run
    assert len(list((tmp_path / "cache").glob("features-*.npz"))) == 2
    other = train("again", again, options=options, **plan).run
    assert len([line for line in again.said if "read from" in line]) == 2
    name = "best_model.safetensors"
    assert (run / name).read_bytes() == (other / name).read_bytes()
    # What was fitted on the features is what the whole model says.
    row = (run / "history.csv").read_text().splitlines()[1].split(",")
    table = Predictions.read(run / "validation.csv")
    labels = np.array([table.classes.index(label) for label in table.labels])
    assert float(row[5]) == pytest.approx(macro_auroc(table.probabilities, labels), abs=1e-3)
    assert load_model(run)[1].test_time_augmentation == "none"


def test_a_batch_that_does_not_fit_in_memory_is_learned_from_in_parts(
    train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    straight = train("parts", accumulate=2).run
    classify = TileClassifier.classify

    def small(self: TileClassifier, prepared: torch.Tensor) -> torch.Tensor:
        if self.training and len(prepared) > 8:
            raise torch.OutOfMemoryError("too large")
        return classify(self, prepared)

    monkeypatch.setattr(TileClassifier, "classify", small)
    monitor = SilentMonitor()
    run = train("short", monitor).run
    assert any("batches of 16 are learned from in 2 parts" in line for line in monitor.said)
    name = "best_model.safetensors"
    assert (run / name).read_bytes() == (straight / name).read_bytes()

    # Stopped after that, it continues in these parts.
    reports = 0

    def stop_later(stage: str) -> None:
        nonlocal reports
        reports += stage.startswith("epoch 1 of")
        if reports == 5:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(StoppedError):
        train("stopped", SilentMonitor(stop_later))
    run = train("stopped", resume=True).run
    assert (run / name).read_bytes() == (straight / name).read_bytes()
    monkeypatch.setattr(TileClassifier, "classify", _no_memory)
    with pytest.raises(HistoError, match=r"out of memory on cpu .* lower --batch-size"):
        train("none")


def _no_memory(self: TileClassifier, prepared: torch.Tensor) -> torch.Tensor:
    raise torch.OutOfMemoryError(f"{self.classes}: {prepared.shape}")


def test_tensorboard_gets_the_history(train: Train) -> None:
    events = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    run = train(options={"tensorboard": True}).run
    found = events.EventAccumulator(str(run / "tensorboard")).Reload()
    scores = [event.value for event in found.Scalars("valid_auroc")]
    rows = [line.split(",") for line in (run / "history.csv").read_text().splitlines()]
    column = rows[0].index("valid_auroc")
    assert scores == pytest.approx([float(row[column]) for row in rows[1:]])


def test_features_are_known_by_the_names_of_their_tiles(train: Train, tmp_path: Path) -> None:
    """Where a tile stands depends on what else lies in the data set; its features do not."""
    data = tmp_path / "data"
    write_phantom(data, tiles=60, seed=3)
    alone = tmp_path / "alone"
    shutil.copytree(data, alone)
    shutil.rmtree(alone / "test")
    (alone / "labels.csv").unlink()
    plan: dict[str, Any] = {"transfer": "frozen", "test_time_augmentation": None}
    fresh = train("fresh", data=data, options={"cache_folder": tmp_path / "other"}, **plan)
    options = {"cache_folder": tmp_path / "cache"}
    train("before", data=alone, options=options, **plan)
    monitor = SilentMonitor()
    again = train("again", monitor, data=data, options=options, **plan)
    assert len([line for line in monitor.said if "read from" in line]) == 2
    name = "best_model.safetensors"
    assert (again.run / name).read_bytes() == (fresh.run / name).read_bytes()
    # The phantom's truncated tile is named each time.
    assert len((again.run / "skipped.csv").read_text().splitlines()) == 2


def test_a_batch_that_is_divided_and_never_full_is_refused(train: Train) -> None:
    with pytest.raises(SettingsError, match=r"--batch-size 500: there are only .* training"):
        train(accumulate=2, batch_size=500)


def test_every_epoch_is_validated_at_the_final_side(
    train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    sides = []

    def noted(model: TileClassifier, *arguments: Any, **options: Any) -> Any:
        if "learning" not in options:
            sides.append(model.standardization.constants.input_size_px)
        return run_epoch(model, *arguments, **options)

    monkeypatch.setattr("histocli.training.fitting.run_epoch", noted)
    monitor = SilentMonitor()
    grown = train(
        monitor=monitor, ema_decay=0.0, input_size_px=96, initial_size_px=32, epochs=3
    ).progress
    assert sides == [96] * 4
    # Of 32, 64 and 96 px, each with so many times the pixels of the first.
    assert grown is not None
    seconds = [row["seconds"] for row in grown.history]
    expected = [seconds[0] * (4 + 9), seconds[1] * 9 / 4, 0]
    assert monitor.seconds_left == pytest.approx(expected)


def test_training_stops_where_nothing_gets_better_and_says_so(train: Train) -> None:
    monitor = SilentMonitor()
    # At such rates nothing is learned; batch norms still settle.
    still: dict[str, Any] = {"learning_rate": 1e-12, "head_learning_rate": 1e-12}
    outcome = train(monitor=monitor, epochs=40, patience=2, **still)
    assert outcome.progress is not None
    rows = outcome.progress.history
    best = outcome.progress.best_epoch
    assert outcome.facts["epochs"] == len(rows) == best + 2 < 40
    ranks = [(row["valid_auroc"], -row["valid_loss"]) for row in rows]
    assert ranks.index(max(ranks)) == best - 1
    (said,) = [line for line in monitor.said if line.startswith("stopped after")]
    assert said == (
        f"stopped after epoch {len(rows)} of 40: none was better since epoch {best} (--patience)"
    )


def test_of_epochs_with_one_auroc_the_one_with_less_loss_is_better() -> None:
    assert rank(0.9, 5.0) > rank(0.8, 0.1)
    assert rank(1.0, 0.1) > rank(1.0, 0.2)
    # One class alone has no AUROC.
    assert rank(math.nan, 0.1) > rank(math.nan, 0.2)


def test_resuming_refuses_another_option_and_an_ended_run(train: Train) -> None:
    with pytest.raises(StoppedError):
        train("x", SilentMonitor(lambda _: os.kill(os.getpid(), signal.SIGTERM)))
    with pytest.raises(SettingsError, match="epochs 2, not 9"):
        train("x", resume=True, epochs=9, explicit=frozenset({"epochs"}))
    run = train("x", resume=True).run
    with pytest.raises(SettingsError, match="has ended"):
        train("x", resume=True)
    with pytest.raises(SettingsError, match="--overwrite"):
        train("x")
    assert train("x", overwrite=True, epochs=1).run == run


def test_every_prediction_path_sees_what_training_saw(train: Train, phantom: Path) -> None:
    for stain in ("none", *NORMALIZERS):
        run = train(stain, stain=stain, epochs=1, stain_augmentation=0.2).run
        model, card = load_model(run)
        assert card.stain.method == stain
        source = open_source(phantom / "valid")
        tiles = np.stack([source.read(i) for i in range(8)]).transpose(0, 3, 1, 2).copy()
        with torch.inference_mode():
            direct = model(torch.from_numpy(tiles)).softmax(1).numpy()
        table = run / "p.csv"
        predict_source(run, phantom / "valid", table, USE, begin)
        np.testing.assert_allclose(Predictions.read(table).probabilities[:8], direct, atol=1e-5)
        normalized = tiles if stain == "none" else find_normalizer(stain)().normalize(tiles).tiles
        with torch.inference_mode():
            prepared = model.prepare(torch.from_numpy(normalized), already_normalized=True)
            from_files = model.classify(prepared).softmax(1).numpy()
        np.testing.assert_allclose(from_files, direct, atol=1e-3)


def test_tiles_normalized_beforehand_are_read_and_give_the_same_model(
    train: Train, phantom: Path, tmp_path: Path
) -> None:
    data = tmp_path / "copy"
    for source in phantom.rglob("*"):
        if source.is_file():
            target = data / source.relative_to(phantom)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(source.read_bytes())
    monitor = SilentMonitor()
    raw = train("raw", monitor, data, stain="macenko", epochs=1).run
    assert not [line for line in monitor.said if "normalized as asked for" in line]
    for split in ("train", "valid"):
        tiles = open_source(data / split)
        digest = content_hash(tiles, range(len(tiles.tiles)))
        normalizer = MacenkoNormalizer()
        record = make_record(data / split, digest, len(tiles.tiles), normalizer, 0, "cpu")
        normalize_tiles(tiles, data / f"{split}-normalized", normalizer, record, batch_size=32)
    reading = train("reading", monitor, data, stain="macenko", epochs=1).run
    assert len([line for line in monitor.said if "normalized as asked for" in line]) == 2
    name = "best_model.safetensors"
    assert (raw / name).read_bytes() == (reading / name).read_bytes()
    tiles, whole = open_source(data), tmp_path / "whole"
    digest = content_hash(tiles, range(len(tiles.tiles)))
    record = make_record(data, digest, len(tiles.tiles), MacenkoNormalizer(), 0, "cpu")
    normalize_tiles(tiles, whole, MacenkoNormalizer(), record, batch_size=32)
    with pytest.raises(SettingsError, match="normalized already: train"):
        train("double", data=whole, stain="macenko", epochs=1)
    on_normalized = train("normalized", data=whole, epochs=1).run
    assert load_model(on_normalized)[1].trained_on_normalized
    predict_split(on_normalized, None, "test", USE, begin)
    with pytest.raises(SettingsError, match="normalized already"):
        predict_source(raw, data / "train-normalized", tmp_path / "p.csv", USE, begin)


def test_a_stopped_prediction_continues_to_the_same_bytes(
    train: Train, phantom: Path, tmp_path: Path
) -> None:
    run = train(epochs=1).run
    use = UseSettings("cpu", 4, "none", None, strict=False)
    predict_source(run, phantom, tmp_path / "whole.csv", use, begin)

    class Stop(Exception):  # noqa: N818 - an interruption, no error
        pass

    seen = 0

    def stop_midway(stage: str, tiles: int) -> object:
        del stage, tiles

        def advance(number: int) -> None:
            nonlocal seen
            seen += number
            if seen > 60:
                raise Stop

        return advance

    with pytest.raises(Stop):
        predict_source(run, phantom, tmp_path / "stopped.csv", use, stop_midway)  # type: ignore[arg-type]
    assert not (tmp_path / "stopped.csv").exists()
    assert list(tmp_path.glob(".stopped.csv.*.journal"))
    predict_source(run, phantom, tmp_path / "stopped.csv", use, begin)
    assert (tmp_path / "stopped.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
    assert not list(tmp_path.glob(".stopped.csv.*.journal"))
    with pytest.raises(SettingsError, match="--overwrite"):
        predict_source(run, phantom, tmp_path / "stopped.csv", use, begin)


def test_probabilities_hardly_depend_on_the_batch(
    train: Train, phantom: Path, tmp_path: Path
) -> None:
    run = train(epochs=1).run
    tables = []
    for size in (1, 7, 64):
        use = UseSettings("cpu", size, "d4", None, strict=False)
        predict_source(run, phantom / "test", tmp_path / f"{size}.csv", use, begin)
        tables.append(Predictions.read(tmp_path / f"{size}.csv").probabilities)
    for table in tables[1:]:
        np.testing.assert_allclose(table, tables[0], atol=1e-5)


def test_moved_data_keeps_the_splits_of_the_run(
    train: Train, phantom: Path, tmp_path: Path
) -> None:
    # Without split folders: histo divides, and only the run knows how.
    plain = tmp_path / "plain"
    for number, path in enumerate(sorted((phantom / "train").rglob("*.png"))):
        target = plain / path.parent.name / f"{number}.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    run = train(data=plain, epochs=1).run
    moved = plain.rename(tmp_path / "moved")
    with pytest.raises(InputError, match="--data"):
        predict_split(run, None, "test", USE, begin)
    predictions, _, _ = predict_split(run, moved, "test", USE, begin)
    stated = {
        row.split(",")[0] for row in (run / "splits.csv").read_text().splitlines() if ",test" in row
    }
    assert set(predictions.tiles) <= stated
    assert 0 < len(predictions.tiles) < 30


def test_training_refuses_what_cannot_be_learned(
    train: Train, phantom: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="two classes"):
        train(data=phantom / "train" / "tumor")
    with pytest.raises(SettingsError, match=r"unknown architecture 'efficentnet'.*efficientnet"):
        train(arch="efficentnet")
    with pytest.raises(SettingsError, match="no class of normal, tumor"):
        train(positive_class="cancer")
    with pytest.raises(SettingsError, match="plain folder name"):
        train("../elsewhere")
    (tmp_path / "runs" / "taken").mkdir(parents=True)
    (tmp_path / "runs" / "taken" / "note.txt").write_text("mine")
    with pytest.raises(SettingsError, match="no run"):
        train("taken")


def test_a_loss_that_is_no_number_keeps_the_batch_and_names_no_tile(train: Train) -> None:
    with pytest.raises(HistoError, match=r"not a number in a batch of \d+ tiles, kept") as raised:
        train(learning_rate=1e30, head_learning_rate=1e30, warmup_fraction=0.0)
    assert "train/" not in str(raised.value)


def test_order_of_an_epoch_drops_only_what_fills_no_batch() -> None:
    order = shuffled(range(100), seed=0, epoch=1, batch_size=32)
    assert len(order) == 96
    assert len(set(order)) == 96
    assert order == shuffled(range(100), seed=0, epoch=1, batch_size=32)
    assert order != shuffled(range(100), seed=0, epoch=2, batch_size=32)
    assert sorted(shuffled(range(5), 0, 1, 32)) == [0, 1, 2, 3, 4]


def test_small_rules() -> None:
    assert positive_class(("a", "b"), None) == "b"
    labels = np.array([0, 1, 1])
    assert macro_auroc(np.array([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7]]), labels) == 1.0
