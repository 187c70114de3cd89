from dataclasses import replace

import numpy as np
import pytest

from histocli.metrics.definitions.auroc import auroc
from histocli.metrics.labelled import Labelled
from histocli.metrics.stress import Disturbed, class_auroc, stress_section
from histocli.metrics.uncertainty import Uncertainty
from tests.metrics.conftest import MakePredictions


def test_what_does_not_disturb_makes_no_difference_and_what_blinds_makes_it_chance(
    make_predictions: MakePredictions,
) -> None:
    tiles = Labelled.of(make_predictions(tiles=200), "tumor")
    blind = replace(tiles, probabilities=np.full((200, 2), 0.5), predicted=np.zeros(200, np.int64))
    section = stress_section(
        tiles,
        [Disturbed("blur", "pixels", 0.0, tiles), Disturbed("blur", "pixels", 9.0, blind)],
        Uncertainty(samples=200),
    )
    same, lost = section["perturbations"]["blur"]["points"]
    assert section["perturbations"]["blur"]["unit"] == "pixels"
    assert same["difference"]["value"] == 0
    assert "same value" in same["difference"]["reason"]
    assert same["decisions_changed"] == 0
    assert lost["auroc"]["value"] == 0.5
    assert lost["difference"]["ci_high"] < 0
    assert lost["decisions_changed"] == (tiles.predicted == 1).mean()
    expected = float(auroc(tiles.is_class(1), tiles.probabilities[:, 1]))
    assert section["auroc"]["value"] == pytest.approx(expected)


def test_of_several_classes_it_is_the_mean(make_predictions: MakePredictions) -> None:
    tiles = Labelled.of(make_predictions(classes=("a", "b", "c")), "c")
    table = tiles.probabilities
    expected = np.mean([auroc(tiles.labels == k, table[:, k]) for k in range(3)])
    assert class_auroc(tiles, table, None) == pytest.approx(expected)
