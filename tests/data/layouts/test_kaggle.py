"""Kaggle's layout: zipped, unpacked, in parts, and what can be wrong with it."""

import zipfile
from pathlib import Path

import pytest

from histocli.data.layouts import open_source
from histocli.data.splitting import split_tiles
from histocli.data.tiles import Inspectable, Tile
from histocli.errors import InputError
from tests.data.layouts.examples import draw, encode, kaggle, kaggle_id, write_csv, write_file


def unpack(folder: Path, part: str) -> None:
    with zipfile.ZipFile(folder / f"{part}.zip") as archive:
        archive.extractall(folder / part)
    (folder / f"{part}.zip").unlink()


def test_unpacked_folders_give_the_same_tiles(tmp_path: Path) -> None:
    example = kaggle(tmp_path)
    unpack(tmp_path, "train")
    unpack(tmp_path, "test")
    source = open_source(tmp_path)
    assert source.layout == "kaggle"
    expected = {name.replace(".zip#", "/"): truth for name, truth in example.tiles.items()}
    found = {tile.id: (tile.label, tile.split) for tile in source.tiles}
    assert found == {name: (truth.label, truth.split) for name, truth in expected.items()}
    assert source.read(0).tolist() == expected[source.tiles[0].id].pixels.tolist()


@pytest.mark.parametrize("zipped", [True, False])
def test_train_alone_finds_its_labels_beside_it(tmp_path: Path, zipped: bool) -> None:
    kaggle(tmp_path)
    if not zipped:
        unpack(tmp_path, "train")
    source = open_source(tmp_path / ("train.zip" if zipped else "train"))
    assert source.layout == "kaggle"
    assert sorted(str(tile.label) for tile in source.tiles) == ["0", "1", "1"]
    assert source.read(0).shape == (12, 12, 3)
    test = open_source(tmp_path / "test.zip")
    assert {tile.label for tile in test.tiles} == {None}


def test_without_labels_the_tiles_have_none_and_that_is_a_problem(tmp_path: Path) -> None:
    kaggle(tmp_path)
    (tmp_path / "train_labels.csv").unlink()
    source = open_source(tmp_path)
    assert source.layout == "kaggle"
    assert isinstance(source, Inspectable)
    assert source.problems == ["train_labels.csv is absent: no tile has a label"]


def test_what_does_not_match_is_counted_and_named(tmp_path: Path) -> None:
    kaggle(tmp_path)
    table = tmp_path / "train_labels.csv"
    lines = table.read_text().splitlines()
    table.write_text("\n".join([*lines[:-1], "feed,1"]) + "\n")
    source = open_source(tmp_path)
    assert isinstance(source, Inspectable)
    assert "1 tile of train without a label in train_labels.csv" in source.problems[0]
    assert "1 label without a tile: train_labels.csv (the first: feed)" in source.problems[1]


WRONG = {
    "other columns": ("name,target\na,1\n", "it needs the columns id and label"),
    "twice": ("id,label\na,1\na,0\n", "line 3: a is named a second time"),
    "empty": ("", "it holds no label"),
    "header only": ("id,label\n", "it holds no label"),
    "of another data set": ("id,label\nabc,1\n", "none of its ids is the name of a tile"),
    "no text": ("id,label\n\udcff,1\n", "cannot read the table"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_table_that_is_wrong_is_named(tmp_path: Path, name: str) -> None:
    kaggle(tmp_path)
    content, message = WRONG[name]
    (tmp_path / "train_labels.csv").write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(InputError, match=r"train_labels\.csv") as caught:
        open_source(tmp_path)
    assert message in str(caught.value)


def test_the_whole_competition_in_one_zip(tmp_path: Path) -> None:
    pixels = draw(3)
    ids = [kaggle_id(tile) for tile in pixels]
    path = tmp_path / "histopathologic-cancer-detection.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"train/{ids[0]}.tif", encode(pixels[0], "TIFF"))
        archive.writestr(f"train/{ids[1]}.tif", encode(pixels[1], "TIFF"))
        archive.writestr(f"test/{ids[2]}.tif", encode(pixels[2], "TIFF"))
        archive.writestr("train_labels.csv", f"id,label\n{ids[0]},0\n{ids[1]},1\n")
    tiles = {tile.id.rpartition("/")[2][:-4]: tile for tile in open_source(path).tiles}
    assert [(tiles[i].label, tiles[i].split) for i in ids] == [
        ("0", "train"),
        ("1", "train"),
        (None, "test"),
    ]


def test_class_folders_beside_a_labels_table_stay_class_folders(tmp_path: Path) -> None:
    for label in ("normal", "tumor"):
        write_file(tmp_path / "train" / label / "a.png", encode(draw(1)[0]))
    write_csv(tmp_path / "train_labels.csv", ["id", "label"], [["a", 1]])
    assert open_source(tmp_path).layout == "class-folders"


def test_a_test_set_without_labels_leaves_room_for_one_with() -> None:
    tiles = [Tile(f"{i}", label=str(i % 2), split="train") for i in range(140)]
    tiles += [Tile(f"t{i}", split="test") for i in range(10)]
    found = {tile.split for tile in split_tiles(tiles, 0) if tile.label is not None}
    assert found == {"train", "valid", "test"}
