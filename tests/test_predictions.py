from pathlib import Path

import numpy as np
import pytest

from histocli.errors import InputError
from histocli.predictions import Predictions


def made(**changes: object) -> Predictions:
    content: dict[str, object] = {
        "tiles": ["a", "b,c"],
        "classes": ["normal", "tumor"],
        "probabilities": np.array([[0.1 + 0.2, 0.7 - 1e-17], [0.5, 0.5]]),
        "predicted": ["tumor", "normal"],
        "labels": ["tumor", None],
        "groups": [None, "slide 1"],
        **changes,
    }
    return Predictions(**content)  # type: ignore[arg-type]


@pytest.mark.parametrize("calibrated", [None, np.array([[0.4, 0.6], [0.25, 0.75]])])
def test_a_written_table_reads_back_to_the_last_digit(tmp_path: Path, calibrated: object) -> None:
    predictions = made(calibrated=calibrated)
    predictions.write(tmp_path / "p.csv")
    again = Predictions.read(tmp_path / "p.csv")
    np.testing.assert_array_equal(again.probabilities, predictions.probabilities)
    assert (again.calibrated is None) == (calibrated is None)
    for name in ("tiles", "classes", "predicted", "labels", "groups"):
        assert list(getattr(again, name)) == list(getattr(predictions, name))
    assert again.label_indices.tolist() == [1, -1]


@pytest.mark.parametrize("row", [[0.5, 0.6], [np.nan, 1.0], [-0.1, 1.1], [np.inf, 0.0]])
def test_what_is_no_probability_is_refused_and_never_repaired(row: list[float]) -> None:
    with pytest.raises(InputError, match="row 1 of the probabilities"):
        made(probabilities=np.array([[0.5, 0.5], row]))


def test_a_label_that_the_model_does_not_know_is_named() -> None:
    with pytest.raises(InputError, match="'stroma'"):
        _ = made(labels=["stroma", None]).label_indices


def test_other_tables_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    with pytest.raises(InputError, match="cannot read"):
        Predictions.read(path)
    path.write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match="not a predictions table"):
        Predictions.read(path)
    path.write_text("tile,group,label,predicted,probability_a,probability_b\nx,,,a,0.5,half\n")
    with pytest.raises(InputError, match="damaged"):
        Predictions.read(path)
