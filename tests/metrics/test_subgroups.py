import numpy as np
import pytest

from histocli.metrics.labelled import Labelled
from histocli.metrics.subgroups import MOST_SUBGROUPS, UNKNOWN, subgroup_section
from histocli.metrics.uncertainty import Uncertainty
from tests.metrics.conftest import MakePredictions

QUICK = Uncertainty(samples=100)


def test_a_model_that_fails_in_one_part_is_found_out(make_predictions: MakePredictions) -> None:
    predictions = make_predictions(tiles=400)
    purple = np.arange(400) % 2 == 0
    # In one half the model knows, in the other it has the labels the wrong way round.
    predictions.probabilities[purple] = predictions.probabilities[purple][:, ::-1]
    tiles = Labelled.of(predictions, "tumor")
    looks = ["purple" if each else "brown" for each in purple]
    section = subgroup_section(tiles, {"look": looks}, QUICK)["look"]
    gap = section["widest_gap"]
    assert (gap["worst"], gap["best"]) == ("purple", "brown")
    assert gap["auroc_difference"] > 0.3
    assert gap["intervals_overlap"] is False
    assert section["subgroups"]["brown"]["tiles"] == 200


def test_a_small_subgroup_is_warned_of_and_cannot_be_the_worst(
    make_predictions: MakePredictions,
) -> None:
    groups = [f"slide {row % 12}" for row in range(200)]
    tiles = Labelled.of(make_predictions(tiles=200, groups=groups), "tumor")
    values = ["rare" if row < 8 else None if row < 20 else "common" for row in range(200)]
    section = subgroup_section(tiles, {"kind": values}, QUICK)["kind"]
    assert set(section["subgroups"]) == {"common", "rare", UNKNOWN}
    (warning,) = section["subgroups"]["rare"]["warnings"]
    assert warning.startswith("small: ")
    assert "8 groups" in warning
    assert section["subgroups"]["common"]["warnings"] == []
    assert section["widest_gap"] is None


def test_a_column_of_ids_is_cut_to_its_commonest_values(make_predictions: MakePredictions) -> None:
    tiles = Labelled.of(make_predictions(tiles=120), "tumor")
    values = ["often"] * 40 + [f"id {row}" for row in range(80)]
    section = subgroup_section(tiles, {"id": values}, Uncertainty(samples=20))["id"]
    assert len(section["subgroups"]) == MOST_SUBGROUPS
    assert "often" in section["subgroups"]
    assert section["left_out"] == 81 - MOST_SUBGROUPS


@pytest.mark.parametrize("classes", [("normal", "tumor"), ("a", "b", "c")])
def test_every_tile_belongs_to_one_subgroup(
    classes: tuple[str, ...], make_predictions: MakePredictions
) -> None:
    tiles = Labelled.of(make_predictions(classes=classes), classes[-1])
    values = [f"{row % 3}" for row in range(80)]
    section = subgroup_section(tiles, {"third": values}, QUICK)["third"]
    assert sum(entry["tiles"] for entry in section["subgroups"].values()) == 80
