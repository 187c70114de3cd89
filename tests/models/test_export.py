"""Exported files against the model that they are of, on tissue, on blank tiles and in any number."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from histocli.data.layouts import open_source
from histocli.data.phantom import write_phantom
from histocli.errors import InputError
from histocli.metrics.calibrators import calibrate, fit_calibration
from histocli.models.architectures import AS_PUBLISHED, NetworkOptions
from histocli.models.calibration_layer import calibration_layer
from histocli.models.classifier import ModelCard, StainChoice, TileClassifier
from histocli.models.export import (
    ExportedClassifier,
    Tiles,
    open_onnx,
    open_program,
    record_program,
    write_onnx,
    write_program,
)
from histocli.models.preprocessing import PreprocessingConstants
from histocli.training.agreement import LARGEST_DIFFERENCE, blank_tiles, compare

CLASSES = ("benign", "tumor")
CONSTANTS = PreprocessingConstants(32, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
TEMPERATURE = {"method": "temperature", "temperature": 0.7, "fitted_on": "valid"}


@pytest.fixture(scope="module")
def tissue(tmp_path_factory: pytest.TempPathFactory) -> Tiles:
    folder = tmp_path_factory.mktemp("tissue")
    write_phantom(folder, tiles=60, seed=11)
    source = open_source(folder)
    return np.stack([source.read(index).transpose(2, 0, 1) for index in range(24)])


def made(stain: str) -> tuple[TileClassifier, ModelCard]:
    """A network with strong random weights, so that its answers differ from tile to tile."""
    card = ModelCard(
        "test_efficientnet",
        CLASSES,
        "tumor",
        CONSTANTS,
        StainChoice(stain),
        {"threshold": 0.4},
        TEMPERATURE,
        network=NetworkOptions("center", 1) if stain == "none" else AS_PUBLISHED,
    )
    torch.manual_seed(3)
    model = TileClassifier(card).eval()
    with torch.no_grad():
        model.network.get_parameter("classifier.weight").mul_(20)
    return model, card


@pytest.mark.parametrize(
    "stain",
    [
        "none",
        # torch writes ONNX slowly: half a minute each.
        pytest.param("reinhard", marks=pytest.mark.slow),
        pytest.param("macenko", marks=pytest.mark.slow),
    ],
)
def test_exported_files_say_what_the_model_says(stain: str, tissue: Tiles, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    model, card = made(stain)
    classifier = ExportedClassifier(model, card)
    side = tissue.shape[-1]
    program = record_program(classifier, side)
    write_program(program, tmp_path / "model.pt2", {"run": "made"})
    write_onnx(program, tmp_path / "model.onnx", classifier.output_names, {"run": "made"})
    predictors = {
        "onnx": open_onnx(tmp_path / "model.onnx"),
        "pt2": open_program(tmp_path / "model.pt2", classifier.output_names),
    }
    found = compare(model, card, predictors, [tissue[:7], tissue[7:]], side, lambda _: None)
    for agreement in found.values():
        assert agreement.tiles == len(tissue) + len(blank_tiles(side))
        assert agreement.holds
        assert agreement.largest <= LARGEST_DIFFERENCE
        assert agreement.largest_of_blank_tiles <= LARGEST_DIFFERENCE
        assert agreement.decisions_changed == 0
    with torch.no_grad():
        answers = model(torch.from_numpy(tissue)).softmax(dim=1)[:, 1]
    # Otherwise everything would agree with everything.
    assert answers.max() - answers.min() > 10 * LARGEST_DIFFERENCE


def test_a_model_that_says_something_else_does_not_agree(tissue: Tiles) -> None:
    model, card = made("none")

    def wrong(tiles: Tiles) -> dict[str, NDArray[np.float64]]:
        share = tiles.mean(axis=(1, 2, 3)) / 255
        table = np.stack([share, 1 - share], axis=1)
        return {"probabilities": table, "calibrated": table}

    found = compare(model, card, {"wrong": wrong}, [tissue], tissue.shape[-1], lambda _: None)
    assert not found["wrong"].holds
    assert found["wrong"].share < 0.5


@pytest.mark.parametrize("method", ["temperature", "platt", "isotonic"])
def test_calibration_layers_are_the_calibrators(method: str) -> None:
    random = np.random.default_rng(0)
    labels = random.integers(0, 3, 400)
    logits = random.normal(size=(400, 3)) + 2 * np.eye(3)[labels]
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    stored = fit_calibration(method, probabilities, labels)
    layer = calibration_layer(stored)
    assert layer is not None
    # Beyond the fitted range, too.
    asked = np.concatenate([probabilities, np.eye(3), np.full((1, 3), 1 / 3)])
    expected = calibrate(asked, stored)
    assert expected is not None
    np.testing.assert_allclose(layer(torch.from_numpy(asked)).numpy(), expected, atol=1e-12)


def test_a_calibration_of_the_future_is_refused() -> None:
    with pytest.raises(InputError, match="update histo"):
        calibration_layer({"method": "oracle"})
    assert calibration_layer({}) is None
