"""A device whose memory is too small: simulated by an error that asks for no more than some tiles."""

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from histocli.device_memory import FittingParts
from histocli.errors import ExhaustedError
from histocli.explain.capture import held_still
from histocli.explain.maps import Explainer, attention_maps
from histocli.models.classifier import ModelCard, StainChoice, TileClassifier
from histocli.models.preprocessing import PreprocessingConstants
from histocli.stain import MacenkoNormalizer
from histocli.stain.backends import Backend, find_backend
from histocli.training.device_batches import DeviceBatch
from histocli.training.epoch import EpochResult, LoopSettings, run_epoch
from histocli.training.features import compute_features
from tests.stain.synthetic import phantom_batch

FITS = 3
TILES = 11


def too_small_for(function: Callable[..., Any], count: Callable[..., int]) -> Callable[..., Any]:
    """The function, on a device that holds so few tiles."""

    def limited(*arguments: Any, **options: Any) -> Any:
        if count(*arguments) > FITS:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return function(*arguments, **options)

    return limited


@pytest.fixture
def small_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """For the stain module as for the network."""
    limited = too_small_for(TileClassifier.prepare, lambda _, tiles: len(tiles))
    monkeypatch.setattr(TileClassifier, "prepare", limited)


def classifier() -> TileClassifier:
    torch.manual_seed(0)
    constants = PreprocessingConstants(32, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    stain = StainChoice("macenko")
    card = ModelCard("test_efficientnet", ("a", "b"), "b", constants, stain)
    return TileClassifier(card).eval()


def pixels() -> torch.Tensor:
    return torch.from_numpy(phantom_batch("alpha", TILES))


def predicted(model: TileClassifier) -> EpochResult:
    batches = [DeviceBatch(pixels(), np.arange(TILES)), DeviceBatch(pixels(), np.arange(TILES))]
    labels = np.zeros(TILES, np.int64)
    settings = LoopSettings(torch.device("cpu"), views="d4")
    return run_epoch(model, batches, labels, [str(n) for n in range(TILES)], settings)


@pytest.mark.parametrize("total", [0, 1, 2, 7, 16])
@pytest.mark.parametrize("fits", [1, 3, 5])
def test_every_item_is_done_once_and_in_order(total: int, fits: int) -> None:
    def work(first: int, last: int) -> range:
        if last - first > fits:
            raise torch.OutOfMemoryError
        return range(first, last)

    parts = FittingParts()
    assert [item for part in parts.each(work, total) for item in part] == list(range(total))
    tried: list[int] = []
    parts.each(lambda first, last: tried.append(last - first), total)
    # What was learned is kept for the next batch.
    assert max(tried) <= fits


def test_one_item_that_does_not_fit_is_an_error_with_words() -> None:
    def work(first: int, last: int) -> None:
        raise torch.OutOfMemoryError(f"{first} to {last}")

    with pytest.raises(torch.OutOfMemoryError) as raised:
        FittingParts().each(work, 4)
    with pytest.raises(ExhaustedError, match="smaller --batch-size"):
        ExhaustedError.check(raised.value)


def test_other_errors_are_not_tried_again() -> None:
    tried = []

    def work(first: int, last: int) -> None:
        tried.append((first, last))
        raise RuntimeError("CUDA error: an illegal memory access")

    with pytest.raises(RuntimeError, match="illegal"):
        FittingParts().each(work, 4)
    assert tried == [(0, 4)]


def test_predictions_in_parts_are_those_of_whole_batches(
    request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture
) -> None:
    model = classifier()
    whole = predicted(model)
    request.getfixturevalue("small_device")
    with caplog.at_level(logging.WARNING):
        found = predicted(model)
    np.testing.assert_array_equal(found.indices, whole.indices)
    np.testing.assert_allclose(found.probabilities, whole.probabilities, atol=1e-5)
    assert found.loss == pytest.approx(whole.loss, abs=1e-5)
    # 11, then 6, then 3; the second batch begins with 3.
    assert caplog.messages == [
        "out of memory with 11 tiles at once: going on with 6",
        "out of memory with 6 tiles at once: going on with 3",
    ]


@pytest.mark.usefixtures("small_device")
def test_features_and_maps_are_made_in_parts_too() -> None:
    model = classifier()
    batch = [DeviceBatch(pixels(), np.arange(TILES))]
    indices, features = compute_features(
        model, batch, already_normalized=False, advance=lambda _: None
    )
    assert len(indices) == len(features) == TILES
    with held_still(model):
        maps = attention_maps(
            Explainer.of(model, "gradcam"), pixels(), lambda p: np.ones(len(p), np.int64)
        )
    assert len(maps.grids) == len(maps.probabilities) == len(maps.explained) == TILES


@pytest.mark.parametrize("backend", ["cpu", "torch", "numpy"])
def test_tiles_normalized_in_parts_are_the_same_bytes(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, backend: str
) -> None:
    tiles = phantom_batch("alpha", TILES)
    normalizer = MacenkoNormalizer(backend=backend)
    whole = normalizer.normalize(tiles)

    def small_backend(name: str, given: object) -> Backend:
        found = find_backend(name, given)
        return replace(found, pixels=too_small_for(found.pixels, lambda some, _: len(some)))

    monkeypatch.setattr("histocli.stain.normalizer.find_backend", small_backend)
    found = normalizer.normalize(tiles)
    for name, values in vars(whole).items():
        np.testing.assert_array_equal(getattr(found, name), values, err_msg=name)
    assert "going on with 3" in caplog.text
