"""The manifest of the tiles that passed, and reading verdicts back."""

import csv
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from histocli.data.layouts import open_source
from histocli.errors import SettingsError
from histocli.qc.apply import write_passed
from histocli.qc.result import QCResult

Check = Callable[..., QCResult]


def test_the_manifest_is_a_data_set_of_the_tiles_that_passed(
    phantom: Path, checked: QCResult
) -> None:
    path = phantom.parent / "data-passed.csv"
    source = open_source(phantom)
    before = {tile.id: source.read_bytes(place) for place, tile in enumerate(source.tiles)}
    assert write_passed(source, checked.table, path) == checked.passed
    found = open_source(path)
    with checked.table.open(newline="") as file:
        passed = {row["tile"] for row in csv.DictReader(file) if row["verdict"] == "pass"}
    assert {tile.id.removeprefix("data/") for tile in found.tiles} == passed
    known = {tile.id: tile for tile in source.tiles}
    for place, tile in enumerate(found.tiles):
        old = known[tile.id.removeprefix("data/")]
        assert (tile.label, tile.group, tile.split) == (old.label, old.group, old.split)
        assert found.read_bytes(place) == before[old.id]
    path.unlink()


def test_an_archive_is_named_from_beside_it(phantom: Path, check: Check, tmp_path: Path) -> None:
    archive = Path(shutil.make_archive(str(tmp_path / "tiles"), "zip", phantom))
    result = check(archive, tmp_path / "o")
    path = tmp_path / "tiles-passed.csv"
    source = open_source(archive)
    assert write_passed(source, result.table, path) == result.passed
    found = open_source(path)
    assert len(found.tiles) == result.passed
    assert found.read(0).shape == (96, 96, 3)


def test_rows_of_an_array_cannot_be_named(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (4, 32, 32, 3), np.uint8)
    labels = np.array([[0], [1]] * 2)
    np.savez(tmp_path / "tiles.npz", train_images=images, train_labels=labels)
    with pytest.raises(SettingsError, match="histo train --qc"):
        write_passed(open_source(tmp_path / "tiles.npz"), tmp_path / "qc.csv", tmp_path / "x.csv")
