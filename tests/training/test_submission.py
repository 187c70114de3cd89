import csv
from pathlib import Path

import numpy as np
import pytest

from histocli.atomic_files import write_json
from histocli.errors import InputError, SettingsError
from histocli.models.classifier import ModelCard
from histocli.models.preprocessing import PreprocessingConstants
from histocli.predictions import Predictions
from histocli.training.submission import check_submission, write_submission


def written(folder: Path, tiles: list[str], classes: tuple[str, ...], positive: str) -> Path:
    card = ModelCard(
        "resnet50", classes, positive, PreprocessingConstants(32, (0.5,) * 3, (0.5,) * 3)
    )
    write_json(folder / "best_model.json", card.to_json())
    random = np.random.default_rng(0).random((len(tiles), len(classes)))
    probabilities = random / random.sum(axis=1, keepdims=True)
    nobody: list[str | None] = [None] * len(tiles)
    predicted = [classes[k] for k in probabilities.argmax(axis=1)]
    table = Predictions(tiles, classes, probabilities, predicted, nobody, nobody)
    table.write(folder / "predictions.csv")
    write_submission(folder / "submission.csv", folder / "predictions.csv", folder)
    return folder / "submission.csv"


def test_two_classes_become_the_probability_of_the_positive_one(tmp_path: Path) -> None:
    path = written(tmp_path, ["test/0b2ea2.tif", "test/95596b.tif"], ("1", "0"), "1")
    rows = list(csv.DictReader(path.read_text().splitlines()))
    table = Predictions.read(tmp_path / "predictions.csv")
    assert [row["id"] for row in rows] == ["0b2ea2", "95596b"]
    assert [float(row["label"]) for row in rows] == table.probabilities[:, 0].tolist()


def test_tiles_of_an_archive_have_their_own_ids(tmp_path: Path) -> None:
    path = written(tmp_path, ["test.zip#aa1.tif", "test.zip#in/bb2.tif"], ("1", "0"), "1")
    assert [row["id"] for row in csv.DictReader(path.read_text().splitlines())] == ["aa1", "bb2"]


def test_more_classes_are_named(tmp_path: Path) -> None:
    path = written(tmp_path, ["a.png", "b.png", "c.png"], ("x", "y", "z"), "z")
    rows = list(csv.DictReader(path.read_text().splitlines()))
    table = Predictions.read(tmp_path / "predictions.csv")
    assert [row["label"] for row in rows] == list(table.predicted)


def test_an_id_stands_for_one_tile(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"two tiles .* id 'a'"):
        written(tmp_path, ["one/a.png", "two/a.png"], ("0", "1"), "1")
    assert not (tmp_path / "submission.csv").exists()


def test_a_table_is_not_replaced_by_accident(tmp_path: Path) -> None:
    path = tmp_path / "submission.csv"
    check_submission(path, overwrite=False)
    path.touch()
    with pytest.raises(SettingsError, match="exists"):
        check_submission(path, overwrite=False)
    check_submission(path, overwrite=True)
