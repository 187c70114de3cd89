from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from histocli.errors import InputError
from histocli.metrics.pairing import Entrant, paired_tiles
from histocli.predictions import Predictions

Make = Callable[..., Predictions]


def entrants(first: Predictions, second: Predictions, positive: str = "tumor") -> list[Entrant]:
    return [Entrant("first", first, "tumor"), Entrant("second", second, positive)]


def test_tiles_in_another_order_are_aligned(make_predictions: Make) -> None:
    first = make_predictions(groups=[f"p{row % 7}" for row in range(80)], calibrated=True)
    order = np.random.default_rng(0).permutation(80).tolist()
    shuffled = Predictions(
        tiles=[first.tiles[row] for row in order],
        classes=first.classes,
        probabilities=first.probabilities[order],
        predicted=[first.predicted[row] for row in order],
        labels=[first.labels[row] for row in order],
        groups=[first.groups[row] for row in order],
        calibrated=None if first.calibrated is None else first.calibrated[order],
    )
    tiles = paired_tiles(entrants(first, shuffled))
    np.testing.assert_array_equal(tiles["first"].probabilities, tiles["second"].probabilities)
    np.testing.assert_array_equal(tiles["first"].predicted, tiles["second"].predicted)
    assert tiles["first"].tiles == tiles["second"].tiles


def changed(predictions: Predictions, **changes: object) -> Predictions:
    return replace(predictions, **changes)  # type: ignore[arg-type]


def test_other_classes_are_named(make_predictions: Make) -> None:
    other = make_predictions(classes=("benign", "tumor"))
    with pytest.raises(InputError, match="normal, tumor and benign, tumor"):
        paired_tiles(entrants(make_predictions(), other))


def test_another_positive_class_is_named(make_predictions: Make) -> None:
    with pytest.raises(InputError, match="tumor in one and normal in the other"):
        paired_tiles(entrants(make_predictions(), make_predictions(), "normal"))


def test_other_tiles_are_counted_and_named(make_predictions: Make) -> None:
    given = make_predictions()
    other = changed(given, tiles=["new.png", *given.tiles[1:]])
    with pytest.raises(InputError, match=r"1 tile \(0.png\) only in first, 1 tile \(new.png\)"):
        paired_tiles(entrants(given, other))


def test_other_labels_are_counted_and_named(make_predictions: Make) -> None:
    given = make_predictions(labels=["tumor", "normal"] * 40)
    other = changed(given, labels=["normal"] * 10 + list(given.labels[10:]))
    with pytest.raises(InputError, match=r"5 tiles \(0.png, 2.png, 4.png, …\) with another label"):
        paired_tiles(entrants(given, other))


def test_other_groups_are_named(make_predictions: Make) -> None:
    given = make_predictions(groups=["a", "b"] * 40)
    other = changed(given, groups=["c", *given.groups[1:]])
    with pytest.raises(InputError, match="another group in second"):
        paired_tiles(entrants(given, other))


def test_one_run_or_one_name_twice_is_no_comparison(make_predictions: Make) -> None:
    run = Entrant("first", make_predictions(), "tumor")
    for given in ([], [run], [run, run]):
        with pytest.raises(InputError, match="two or more different runs"):
            paired_tiles(given)
