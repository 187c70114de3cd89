import numpy as np
import pytest
from sklearn.metrics import auc

from histocli.metrics.curves import precision_recall_curves, roc_curves
from histocli.metrics.definitions.auroc import auroc
from histocli.metrics.definitions.average_precision import average_precision

CLASSES = ["a", "b", "c"]


@pytest.fixture
def table() -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    probabilities = generator.integers(1, 6, size=(40, 3)).astype(float)
    return generator.integers(3, size=40), probabilities / probabilities.sum(axis=1, keepdims=True)


def test_the_area_under_the_points_is_the_auroc(table: tuple[np.ndarray, np.ndarray]) -> None:
    labels, probabilities = table
    for index, curve in enumerate(roc_curves(labels, probabilities, CLASSES).values()):
        expected = auroc(labels == index, probabilities[:, index])
        assert auc(curve.x, curve.y) == pytest.approx(expected, abs=1e-12)
        assert (curve.x[0], curve.y[0], curve.x[-1], curve.y[-1]) == (0, 0, 1, 1)


def test_the_steps_of_the_points_are_the_average_precision(
    table: tuple[np.ndarray, np.ndarray],
) -> None:
    labels, probabilities = table
    for index, curve in enumerate(precision_recall_curves(labels, probabilities, CLASSES).values()):
        steps = -np.sum(np.diff(curve.x) * curve.y[:-1])
        expected = average_precision(labels == index, probabilities[:, index])
        assert steps == pytest.approx(expected, abs=1e-12)
        assert len(curve.x) == len(curve.y) == len(curve.thresholds)


def test_unlabelled_tiles_are_left_out(table: tuple[np.ndarray, np.ndarray]) -> None:
    labels, probabilities = table
    some = np.where(np.arange(40) < 25, labels, -1)
    kept = roc_curves(some, probabilities, CLASSES)["b"]
    alone = roc_curves(labels[:25], probabilities[:25], CLASSES)["b"]
    np.testing.assert_array_equal(kept.y, alone.y)


def test_an_absent_class_has_an_empty_curve(table: tuple[np.ndarray, np.ndarray]) -> None:
    labels, probabilities = table
    labels = np.minimum(labels, 1)
    assert roc_curves(labels, probabilities, CLASSES)["c"].x.size == 0
    assert precision_recall_curves(labels, probabilities, CLASSES)["c"].x.size == 0


def test_a_class_alone_has_an_empty_roc_and_a_full_precision() -> None:
    labels, probabilities = np.array([0, 0]), np.array([[0.4, 0.6], [0.7, 0.3]])
    assert roc_curves(labels, probabilities, ["a", "b"])["a"].x.size == 0
    assert (precision_recall_curves(labels, probabilities, ["a", "b"])["a"].y == 1).all()
