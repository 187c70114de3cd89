"""A small run folder that follows the contracts, without a model."""

import json
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from histocli.atomic_files import write_csv, write_json
from histocli.metrics.evaluate import evaluate
from histocli.predictions import Predictions
from histocli.report.figures import evaluation_figures, training_history_figure
from histocli.run_record import RunRecord

MakeRun = Callable[..., Path]


def made_predictions(classes: list[str], tiles: int = 120, seed: int = 0) -> Predictions:
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, len(classes), tiles)
    logits = generator.normal(size=(tiles, len(classes)))
    logits[np.arange(tiles), labels] += 1.5
    table = np.exp(logits)
    table /= table.sum(axis=1, keepdims=True)
    return Predictions(
        tiles=[f"test/{i}.png" for i in range(tiles)],
        classes=classes,
        probabilities=table,
        predicted=[classes[k] for k in table.argmax(axis=1)],
        labels=[classes[k] for k in labels],
        groups=[f"slide {i // 6}" for i in range(tiles)],
        calibrated=table,
    )


def history(path: Path, epochs: int) -> Path:
    header = ["epoch", "learning_rate", "train_loss", "valid_loss", "valid_auroc"]
    rows = [
        [e + 1, 1e-3, 0.7 / (e + 1), 0.8 / (e + 1), 0.8 + 0.01 * e, 50.0, 9.0]
        for e in range(epochs)
    ]
    write_csv(path, [*header, "images_per_second", "seconds"], rows)
    return path


@pytest.fixture(scope="session")
def built_runs(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Runs are drawn once and copied: figures take most of the time."""
    root = tmp_path_factory.mktemp("runs")

    @cache
    def build(classes: tuple[str, ...], splits: tuple[str, ...], *, explained: bool) -> Path:
        run = root / str(len(list(root.iterdir())))
        results = {
            "classes": list(classes),
            "splits": {"train": dict.fromkeys(classes, 50), "test": dict.fromkeys(classes, 20)},
            "groups": {"train": 12, "test": 4},
            "best_epoch": 2,
            "skipped": 1,
        }
        record = RunRecord(
            "train",
            {"arch": "efficientnet", "epochs": None},
            {"data": {"path": "data", "sha256": "ab"}},
        )
        record.finish(run, **results)
        card = {
            "architecture": "efficientnet",
            "classes": list(classes),
            "positive_class": classes[-1],
            "preprocessing": {"input_size_px": 96},
            "stain": {"method": "none"},
            "operating_point": {"threshold": 0.41, "chosen_by": "Youden"}
            if len(classes) == 2
            else {},
            "calibration": {"temperature": 1.2},
            "parameters": 10,
            "weights": "none",
        }
        write_json(run / "best_model.json", card)
        training_history_figure(history(run / "history.csv", 3), run / "training_history.png")
        for split in splits:
            folder = run / "evaluation" / split
            predictions = made_predictions(list(classes), seed=len(split))
            threshold = 0.41 if len(classes) == 2 else None
            metrics = evaluate(
                predictions,
                split=split,
                positive_class=classes[-1],
                threshold=threshold,
                bootstrap_samples=100,
            )
            predictions.write(folder / "predictions.csv")
            write_json(folder / "metrics.json", metrics)
            evaluation_figures(predictions, metrics, folder)
        if explained:
            share = {"value": 0.3, "ci_low": 0.2, "ci_high": 0.4, "method": "bootstrap"}
            group = {
                "n": 9,
                "center_share": share,
                "outside_share": 0.7,
                "enrichment": {"value": 2.7},
            }
            content = {"chance_share": 1 / 9, "ceiling_share": 0.56, "groups": {classes[-1]: group}}
            (run / "explanation").mkdir()
            (run / "explanation" / "attention.json").write_text(json.dumps(content))
        return run

    return build


@pytest.fixture
def make_run(tmp_path: Path, built_runs: Callable[..., Path]) -> MakeRun:
    def make(
        name: str = "first",
        classes: tuple[str, ...] = ("normal", "tumor"),
        splits: tuple[str, ...] = ("valid", "test"),
        *,
        explained: bool = True,
    ) -> Path:
        run = tmp_path / "runs" / name
        shutil.copytree(built_runs(classes, splits, explained=explained), run)
        return run

    return make
