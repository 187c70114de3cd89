from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image

from histocli.errors import InputError
from histocli.metrics.evaluate import evaluate
from histocli.predictions import Predictions
from histocli.report.figures import evaluation_figures, training_history_figure
from tests.report.conftest import history, made_predictions

NAMES = ["roc.png", "precision_recall.png", "confusion_matrix.png", "calibration.png"]


def measured(predictions: Predictions, threshold: float | None = 0.5) -> dict[str, Any]:
    return evaluate(
        predictions,
        split="test",
        positive_class=predictions.classes[-1],
        threshold=threshold,
        bootstrap_samples=20,
    )


@pytest.mark.parametrize(
    "classes",
    [
        ["normal", "tumor"],
        ["a", "b", "c", "d", "e"],
        [f"class {i}" for i in range(9)],
        ["$x_1$ & <b>", "a name much longer than any figure has room for"],
    ],
)
def test_figures_are_the_same_bytes_each_time(tmp_path: Path, classes: list[str]) -> None:
    predictions = made_predictions(classes)
    metrics = measured(predictions)
    once = evaluation_figures(predictions, metrics, tmp_path / "one")
    again = evaluation_figures(predictions, metrics, tmp_path / "two")
    assert [path.name for path in once] == NAMES
    for one, two in zip(once, again, strict=True):
        assert one.read_bytes() == two.read_bytes()
        with Image.open(one) as image:
            # Resolution only: no date, no version of the software.
            assert set(image.info) <= {"dpi"}


@pytest.mark.parametrize("classes", [["normal", "tumor"], ["a", "b", "c"], list("abcdefghi")])
def test_no_figure_is_cut_off_at_its_edge(tmp_path: Path, classes: list[str]) -> None:
    predictions = made_predictions(classes)
    for path in evaluation_figures(predictions, measured(predictions), tmp_path):
        with Image.open(path) as image:
            ink = np.asarray(image.convert("L")) < 200
        edges = [ink[0], ink[-1], ink[:, 0], ink[:, -1]]
        assert not any(edge.any() for edge in edges), path.name


def test_figures_leave_no_other_files(tmp_path: Path) -> None:
    predictions = made_predictions(["normal", "tumor"])
    evaluation_figures(predictions, measured(predictions), tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(NAMES)


def test_figures_leave_the_users_style_alone(tmp_path: Path) -> None:
    before = {name: value for name, value in mpl.rcParams.items() if name != "backend"}
    training_history_figure(history(tmp_path / "history.csv", 2), tmp_path / "history.png")
    assert {name: mpl.rcParams[name] for name in before} == before


def test_a_split_with_one_class_is_drawn(tmp_path: Path) -> None:
    predictions = Predictions(
        tiles=["a", "b"],
        classes=["normal", "tumor"],
        probabilities=np.array([[0.9, 0.1], [0.4, 0.6]]),
        predicted=["normal", "tumor"],
        labels=["normal", "normal"],
        groups=[None, None],
    )
    metrics = measured(predictions, threshold=None)
    assert metrics["metrics"]["auroc"]["value"] is None
    assert len(evaluation_figures(predictions, metrics, tmp_path)) == 4


def test_unlabelled_tiles_are_left_out(tmp_path: Path) -> None:
    predictions = made_predictions(["normal", "tumor"])
    labels = [None if row % 2 else label for row, label in enumerate(predictions.labels)]
    half = Predictions(
        tiles=predictions.tiles,
        classes=predictions.classes,
        probabilities=predictions.probabilities,
        predicted=predictions.predicted,
        labels=labels,
        groups=predictions.groups,
    )
    assert len(evaluation_figures(half, measured(half), tmp_path)) == 4


@pytest.mark.parametrize("epochs", [0, 1, 2, 40])
def test_history_is_drawn_for_any_number_of_epochs(tmp_path: Path, epochs: int) -> None:
    table = history(tmp_path / "history.csv", epochs)
    once = training_history_figure(table, tmp_path / "one.png").read_bytes()
    assert len(once) > 5000
    assert training_history_figure(table, tmp_path / "two.png").read_bytes() == once


def test_an_epoch_without_auroc_is_drawn(tmp_path: Path) -> None:
    table = history(tmp_path / "history.csv", 2)
    table.write_text(table.read_text() + "3,0.001,0.2,0.3,,50.0,9.0\n")
    assert training_history_figure(table, tmp_path / "history.png").is_file()


def test_a_damaged_history_is_named(tmp_path: Path) -> None:
    (tmp_path / "history.csv").write_text("epoch\n1\n")
    with pytest.raises(InputError, match=r"history\.csv"):
        training_history_figure(tmp_path / "history.csv", tmp_path / "history.png")
    assert not (tmp_path / "history.png").exists()
