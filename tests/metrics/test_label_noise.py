import numpy as np
import pytest
from scipy.special import softmax

from histocli.metrics.label_noise import (
    MOST_SUSPICIOUS,
    confident_joint,
    estimated_noise,
    label_noise_section,
    suspicious_tiles,
)
from histocli.metrics.labelled import Labelled
from tests.metrics.conftest import MakePredictions


def spoiled(share: float, classes: int = 3, tiles: int = 2000) -> tuple[np.ndarray, ...]:
    """True labels, those with some changed, and the probabilities of a good model."""
    generator = np.random.default_rng(0)
    truth = generator.integers(0, classes, tiles)
    logits = generator.normal(size=(tiles, classes))
    logits[np.arange(tiles), truth] += 4
    wrong = generator.random(tiles) < share
    given = np.where(wrong, (truth + generator.integers(1, classes, tiles)) % classes, truth)
    return truth, given, softmax(logits, axis=1)


def slow_joint(labels: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Equations 1 and 2 of the paper, tile by tile."""
    classes = table.shape[1]
    limits = [table[labels == k, k].mean() for k in range(classes)]
    counts = np.zeros((classes, classes), int)
    for label, row in zip(labels, table, strict=True):
        able = [k for k in range(classes) if row[k] >= limits[k]]
        if able:
            counts[label, max(able, key=lambda k: row[k])] += 1
    return counts


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_the_joint_is_that_of_the_paper(classes: int) -> None:
    _, given, table = spoiled(0.1, classes, 400)
    joint = confident_joint(given, table)
    np.testing.assert_array_equal(joint.counts, slow_joint(given, table))


@pytest.mark.parametrize("share", [0.0, 0.05, 0.15])
def test_the_share_of_wrong_labels_is_estimated(share: float) -> None:
    _, given, table = spoiled(share)
    assert estimated_noise(confident_joint(given, table), given) == pytest.approx(share, abs=0.02)


def test_the_changed_labels_are_found_and_the_first_are_surest() -> None:
    truth, given, table = spoiled(0.08)
    places = suspicious_tiles(given, table)
    wrong = truth[places] != given[places]
    assert wrong.mean() > 0.9
    assert wrong[:100].all()
    assert wrong.sum() > 0.8 * (truth != given).sum()


def test_a_class_without_tiles_is_never_suspected() -> None:
    _, given, table = spoiled(0.1)
    given = np.where(given == 2, 0, given)
    assert (confident_joint(given, table).suspected != 2).all()


def test_the_section_names_the_worst_tiles(make_predictions: MakePredictions) -> None:
    tiles = Labelled.of(make_predictions(tiles=400), "tumor")
    section = label_noise_section(tiles)
    first = section["most_suspicious"][0]
    place = tiles.tiles.index(first["tile"])
    assert tiles.classes[tiles.labels[place]] == first["label"] != first["suspected"]
    assert first["probability_of_suspected"] > first["probability_of_label"]
    assert len(section["most_suspicious"]) == min(section["suspicious"], MOST_SUSPICIOUS)
