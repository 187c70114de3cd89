import numpy as np
import pytest

from histocli.errors import InputError, SettingsError
from histocli.metrics.aggregation import AGGREGATIONS, aggregated, mixed_groups
from histocli.metrics.aggregation_table import aggregated_section
from histocli.metrics.labelled import Labelled
from histocli.metrics.uncertainty import Uncertainty
from tests.metrics.conftest import MakePredictions

GROUPS = [f"slide {row // 8}" for row in range(160)]


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("mean", 0.3),
        ("max", 0.8),
        ("noisy-or", 1 - 0.9 * 0.2 * 1.0),
        ("top-k", 0.3),
    ],
)
def test_scores_are_joined_as_the_name_says(method: str, expected: float) -> None:
    assert AGGREGATIONS[method](np.array([0.1, 0.8, 0.0])) == pytest.approx(expected)


def test_top_k_is_the_mean_of_the_ten_highest() -> None:
    assert AGGREGATIONS["top-k"](np.arange(20) / 20) == pytest.approx(np.arange(10, 20).mean() / 20)


def test_noisy_or_keeps_apart_what_is_nearly_certain() -> None:
    few, many = (AGGREGATIONS["noisy-or"](np.full(count, 1e-9)) for count in (10, 1000))
    assert few == pytest.approx(1e-8, rel=1e-6)
    assert many == pytest.approx(1e-6, rel=1e-3)
    assert AGGREGATIONS["noisy-or"](np.array([1.0, 1.0])) <= 1


@pytest.mark.parametrize("method", AGGREGATIONS)
@pytest.mark.parametrize("classes", [("normal", "tumor"), ("a", "b", "c")])
def test_each_group_has_one_row_of_probabilities(
    method: str, classes: tuple[str, ...], make_predictions: MakePredictions
) -> None:
    tiles = Labelled.of(make_predictions(tiles=160, classes=classes, groups=GROUPS), classes[-1])
    groups = aggregated(tiles, method)
    assert groups.tiles == tuple(dict.fromkeys(GROUPS))
    np.testing.assert_allclose(groups.probabilities.sum(axis=1), 1, atol=1e-12)
    assert groups.clusters is None


def test_one_positive_tile_makes_a_positive_group() -> None:
    tiles = Labelled(
        tiles=("1", "2", "3", "4"),
        classes=("normal", "tumor"),
        positive_index=1,
        labels=np.array([0, 1, 0, 0]),
        predicted=np.array([0, 1, 0, 0]),
        probabilities=np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.7, 0.3]]),
        calibrated=None,
        groups=("a", "a", "b", None),
    )
    groups = aggregated(tiles, "max")
    assert groups.tiles == ("a", "b")
    assert groups.labels.tolist() == [1, 0]
    assert groups.probabilities[:, 1].tolist() == [0.8, 0.4]
    assert groups.predicted.tolist() == [1, 0]
    assert mixed_groups(tiles) == 1


def test_of_several_classes_a_group_has_the_label_of_most_tiles(
    make_predictions: MakePredictions,
) -> None:
    labels = ["c", "b", "b", "a", "a", "c"]
    predictions = make_predictions(
        tiles=6, classes=("a", "b", "c"), labels=labels, groups=["x", "x", "x", "y", "y", "y"]
    )
    assert aggregated(Labelled.of(predictions, "c"), "mean").labels.tolist() == [1, 0]


def test_the_threshold_of_groups_is_chosen_on_the_groups_of_validation(
    make_predictions: MakePredictions,
) -> None:
    labels = ["tumor" if row // 8 % 2 else "normal" for row in range(160)]
    valid, test = (
        Labelled.of(make_predictions(seed=seed, tiles=160, labels=labels, groups=GROUPS), "tumor")
        for seed in (1, 2)
    )
    section = aggregated_section(test, valid, ["mean", "max"], Uncertainty(samples=100))
    assert section["mean"]["groups"] == 20
    assert section["mean"]["groups_per_class"] == {"normal": 10, "tumor": 10}
    assert section["mean"]["chosen_by"].startswith("Youden")
    assert section["mean"]["metrics"]["accuracy"]["method"] == "wilson"
    alone = aggregated_section(test, None, ["mean"], Uncertainty(samples=100))
    assert alone["mean"]["threshold"] == 0.5
    assert alone["mean"]["chosen_by"].startswith("default")


def test_what_cannot_be_aggregated_is_refused_with_advice(
    make_predictions: MakePredictions,
) -> None:
    tiles = Labelled.of(make_predictions(), "tumor")
    with pytest.raises(InputError, match="add a column group"):
        aggregated(tiles, "mean")
    with pytest.raises(SettingsError, match="noisy-or"):
        aggregated(tiles, "median")
