import numpy as np
import pytest

from histocli.errors import InputError
from histocli.metrics.labelled import Labelled
from tests.metrics.conftest import MakePredictions


def test_tiles_without_a_label_are_left_out(make_predictions: MakePredictions) -> None:
    labels = ["tumor", None, "normal", *["tumor"] * 77]
    predictions = make_predictions(labels=labels, calibrated=True)
    tiles = Labelled.of(predictions, "tumor")
    assert len(tiles) == 79
    assert tiles.tiles[:2] == ("0.png", "2.png")
    assert tiles.labels[:2].tolist() == [1, 0]
    np.testing.assert_array_equal(tiles.best_probabilities[1], predictions.calibrated[2])  # type: ignore[index]


def test_a_tile_without_a_group_is_a_cluster_of_its_own(make_predictions: MakePredictions) -> None:
    tiles = Labelled.of(make_predictions(tiles=5, groups=["a", None, "a", None, "b"]), "tumor")
    assert tiles.clusters is not None
    assert tiles.clusters.tolist() == [0, 1, 0, 2, 3]
    assert Labelled.of(make_predictions(), "tumor").clusters is None


def test_some_tiles_are_chosen_by_place_or_mask(make_predictions: MakePredictions) -> None:
    tiles = Labelled.of(make_predictions(groups=[f"{row}" for row in range(80)]), "tumor")
    mask = np.arange(80) % 2 == 0
    assert tiles.at(mask).tiles == tiles.at(np.flatnonzero(mask)).tiles
    assert tiles.at([3, 1]).groups == ("3", "1")
    assert tiles.at([3, 1]).labels.tolist() == tiles.labels[[3, 1]].tolist()


def test_another_threshold_decides_anew(make_predictions: MakePredictions) -> None:
    tiles = Labelled.of(make_predictions(), "normal")
    decided = tiles.decided(0.3)
    assert ((decided.predicted == 0) == (tiles.probabilities[:, 0] >= 0.3)).all()
    assert set(decided.predicted.tolist()) == {0, 1}


def test_several_classes_have_no_threshold_and_no_positive_class(
    make_predictions: MakePredictions,
) -> None:
    tiles = Labelled.of(make_predictions(classes=("a", "b", "c")), "whatever")
    assert tiles.positive_index is None
    assert tiles.shown_classes == [0, 1, 2]
    with pytest.raises(ValueError, match="two classes"):
        tiles.decided(0.5)


def test_nothing_to_compare_with_is_an_error(make_predictions: MakePredictions) -> None:
    with pytest.raises(InputError, match="add a label column"):
        Labelled.of(make_predictions(labels=[None] * 80), "tumor")
    with pytest.raises(InputError, match="name one of them"):
        Labelled.of(make_predictions(), "benign")
