from pathlib import Path

import numpy as np
import pytest

from histocli.data.layouts import open_source
from histocli.data.perturb import PERTURBATIONS
from histocli.models.checkpoint import load_model
from histocli.training.devices import find_device
from histocli.training.epoch import LoopSettings
from histocli.training.stress import (
    Advance,
    DisturbedSource,
    evenly_chosen,
    predict_disturbed,
)
from tests.training.conftest import Train


def test_a_disturbed_source_is_the_same_table_of_other_pixels(phantom: Path) -> None:
    source = open_source(phantom)
    disturbed = DisturbedSource(source, "blur", 2.0, 0)
    assert disturbed.tiles is source.tiles
    assert (disturbed.root, disturbed.layout) == (source.root, source.layout)
    assert disturbed.read_bytes(0) == source.read_bytes(0)
    assert disturbed.read(0).shape == source.read(0).shape
    assert (disturbed.read(0) != source.read(0)).any()
    np.testing.assert_array_equal(disturbed.read(0), disturbed.read(0))


def test_every_strength_predicts_the_same_tiles_in_one_order(
    train: Train, phantom: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = train(epochs=1).run
    model, card = load_model(run, find_device("cpu"))
    monkeypatch.setattr(
        "histocli.training.stress.PERTURBATIONS",
        {name: PERTURBATIONS[name] for name in ("jpeg", "brightness")},
    )
    stages: list[str] = []

    def begin(stage: str, total: int) -> Advance:
        stages.append(f"{stage} ({total})")
        return lambda _: None

    source = open_source(phantom)
    undisturbed, disturbed = predict_disturbed(
        model,
        card,
        source,
        [3, 9, 30],
        LoopSettings(find_device("cpu"), views="d4"),
        begin,
        batch_size=2,
        workers=1,
        seed=0,
    )
    assert undisturbed.tiles == [source.tiles[place].id for place in (3, 9, 30)]
    assert [(name, strength) for name, _, strength, _ in disturbed] == [
        (name, strength)
        for name in ("jpeg", "brightness")
        for strength in PERTURBATIONS[name].strengths
    ]
    for _, _, _, predictions in disturbed:
        assert predictions.tiles == undisturbed.tiles
        assert (predictions.probabilities != undisturbed.probabilities).any()
    assert len(stages) == 11
    assert stages[0] == "stress: as it is (3)"


def test_tiles_are_spread_evenly_over_the_table() -> None:
    assert evenly_chosen(range(5), 10) == [0, 1, 2, 3, 4]
    assert evenly_chosen(range(0, 200, 2), 3) == [0, 98, 198]
