import numpy as np
import pytest

from histocli.metrics.baselines import color_probabilities, color_section, majority_section
from histocli.metrics.labelled import Labelled
from histocli.metrics.uncertainty import Uncertainty
from tests.metrics.conftest import MakePredictions


def test_the_majority_is_that_of_training(make_predictions: MakePredictions) -> None:
    tiles = Labelled.of(make_predictions(labels=["tumor"] * 60 + ["normal"] * 20), "tumor")
    known = majority_section(np.array([0, 0, 1]), tiles)
    assert known == {"class": "normal", "most_frequent_in": "train", "accuracy": 0.25}
    alone = majority_section(None, tiles)
    assert alone == {"class": "tumor", "most_frequent_in": "this split", "accuracy": 0.75}


def test_colors_that_tell_the_classes_apart_are_found(make_predictions: MakePredictions) -> None:
    tiles = Labelled.of(make_predictions(tiles=200), "tumor")
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 2, 100)
    train = generator.normal(size=(100, 21)) + 3 * labels[:, np.newaxis]
    telling = generator.normal(size=(200, 21)) + 3 * tiles.labels[:, np.newaxis]
    table = color_probabilities(train, labels, telling, 2)
    section = color_section(tiles, table, Uncertainty(samples=100))
    assert section["auroc"]["value"] > 0.99
    assert section["accuracy"]["value"] > 0.95
    assert section["model_adds_auroc"]["ci_high"] < 0


def test_colors_that_say_nothing_leave_the_score_to_the_model(
    make_predictions: MakePredictions,
) -> None:
    tiles = Labelled.of(make_predictions(tiles=300), "tumor")
    generator = np.random.default_rng(0)
    table = color_probabilities(
        generator.normal(size=(100, 21)),
        generator.integers(0, 2, 100),
        generator.normal(size=(300, 21)),
        2,
    )
    section = color_section(tiles, table, Uncertainty(samples=100))
    assert section["auroc"]["ci_low"] < 0.5 < section["auroc"]["ci_high"]
    assert section["model_adds_auroc"]["ci_low"] > 0


def test_a_class_without_training_tiles_has_probability_nought() -> None:
    generator = np.random.default_rng(0)
    table = color_probabilities(
        generator.normal(size=(30, 3)), np.arange(30) % 2, generator.normal(size=(5, 3)), 3
    )
    assert (table[:, 2] == 0).all()
    assert table.sum(axis=1) == pytest.approx(1)
