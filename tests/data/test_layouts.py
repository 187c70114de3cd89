import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from histocli.data.layouts import LAYOUTS, open_source
from histocli.data.tiles import class_names, content_hash
from histocli.errors import InputError, SettingsError


def write_image(path: Path, value: int = 100) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8), (value, 50, 120)).save(path)


def write_table(path: Path, header: list[str], rows: list[list[str]]) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])


def test_class_folders_with_splits_give_label_and_split(tmp_path: Path) -> None:
    for split in ("train", "val", "test"):
        for label in ("normal", "tumor"):
            write_image(tmp_path / split / label / "a.png")
    source = open_source(tmp_path)
    assert source.layout == "class-folders"
    assert class_names(source.tiles) == ["normal", "tumor"]
    assert {tile.split for tile in source.tiles} == {"train", "valid", "test"}
    assert [tile.id for tile in source.tiles] == sorted(tile.id for tile in source.tiles)


def test_what_lies_beside_the_splits_is_not_data(tmp_path: Path) -> None:
    write_image(tmp_path / "train" / "tumor" / "a.png")
    write_image(tmp_path / "train-normalized" / "tumor" / "a.png")
    write_image(tmp_path / "pictures" / "b.png")
    assert [tile.id for tile in open_source(tmp_path).tiles] == ["train/tumor/a.png"]


def test_what_a_command_wrote_is_data_only_when_named(tmp_path: Path) -> None:
    write_image(tmp_path / "tumor" / "a.png")
    write_image(tmp_path / "tumor-qc" / "contact_sheet.png")
    (tmp_path / "tumor-qc" / "run.json").write_text("{}")
    assert [tile.id for tile in open_source(tmp_path).tiles] == ["tumor/a.png"]
    assert open_source(tmp_path / "tumor-qc").tiles[0].id == "contact_sheet.png"
    write_image(tmp_path / "moved" / "train" / "tumor" / "a.png")
    (tmp_path / "moved" / "train" / "run.json").write_text("{}")
    assert len(open_source(tmp_path / "moved").tiles) == 1


def test_class_folders_without_splits_have_none(tmp_path: Path) -> None:
    write_image(tmp_path / "stroma" / "deep" / "a.png")
    write_image(tmp_path / "tumor" / "b.TIF")
    tiles = open_source(tmp_path).tiles
    assert [(tile.label, tile.split) for tile in tiles] == [("stroma", None), ("tumor", None)]


def test_table_beside_class_folders_adds_group_and_split(tmp_path: Path) -> None:
    write_image(tmp_path / "tumor" / "a.png")
    write_image(tmp_path / "normal" / "b.png")
    header = ["path", "class_name", "source_image_group", "suggested_split", "look"]
    rows = [
        ["tumor/a.png", "tumor", "g1", "val", "brown"],
        ["normal/b.png", "normal", "g2", "test", ""],
    ]
    write_table(tmp_path / "labels.csv", header, rows)
    normal, tumor = open_source(tmp_path).tiles
    assert (tumor.label, tumor.group, tumor.split) == ("tumor", "g1", "valid")
    assert tumor.extra["look"] == "brown"
    assert normal.group == "g2"


def test_split_folder_alone_finds_its_part_of_the_table_above(tmp_path: Path) -> None:
    write_image(tmp_path / "train" / "tumor" / "a.png")
    write_table(tmp_path / "labels.csv", ["path", "slide"], [["train/tumor/a.png", "s7"]])
    (tile,) = open_source(tmp_path / "train").tiles
    assert (tile.id, tile.group) == ("tumor/a.png", "s7")


def test_manifest_names_tiles_anywhere_below(tmp_path: Path) -> None:
    write_image(tmp_path / "slide1" / "x.png")
    write_image(tmp_path / "slide2" / "y.png")
    rows = [["slide1/x.png", "tumor", "p1", "train"], ["slide2/y.png", "normal", "p2", "test"]]
    write_table(tmp_path / "manifest.csv", ["tile", "label", "patient", "split"], rows)
    for path in (tmp_path, tmp_path / "manifest.csv"):
        source = open_source(path)
        assert source.layout == "manifest"
        assert [(t.id, t.label, t.group) for t in source.tiles] == [
            ("slide1/x.png", "tumor", "p1"),
            ("slide2/y.png", "normal", "p2"),
        ]
        assert source.read(0).shape == (8, 8, 3)


def test_single_image_and_plain_folder_need_no_label(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png")
    assert [tile.id for tile in open_source(tmp_path / "a.png").tiles] == ["a.png"]
    (tile,) = open_source(tmp_path).tiles
    assert (tile.label, open_source(tmp_path).layout) == (None, "images")


def test_links_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    write_image(tmp_path / "real" / "a.png")
    data = tmp_path / "data" / "tumor"
    data.mkdir(parents=True)
    (data / "linked").symlink_to(tmp_path / "real")
    (data / "circle").symlink_to(tmp_path / "data")
    assert [tile.id for tile in open_source(tmp_path / "data").tiles] == ["tumor/linked/a.png"]


@pytest.mark.parametrize("name", ["/etc/passwd.png", "../secret.png", ""])
def test_a_path_out_of_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    write_table(tmp_path / "labels.csv", ["tile", "label"], [[name, "tumor"]])
    with pytest.raises(InputError, match=r"labels\.csv: line 2"):
        open_source(tmp_path / "labels.csv")


def test_broken_tables_are_named(tmp_path: Path) -> None:
    write_table(tmp_path / "twice.csv", ["tile"], [["a.png"], ["a.png"]])
    with pytest.raises(InputError, match="a second time"):
        open_source(tmp_path / "twice.csv")
    write_table(tmp_path / "split.csv", ["tile", "split"], [["a.png", "dev"]])
    with pytest.raises(InputError, match="'dev' is none of train, valid, test"):
        open_source(tmp_path / "split.csv")
    write_table(tmp_path / "columns.csv", ["picture"], [["a.png"]])
    with pytest.raises(InputError, match="no tile column"):
        open_source(tmp_path / "columns.csv")


def test_nothing_to_read_says_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        open_source(tmp_path / "absent")
    with pytest.raises(InputError, match="expected class folders"):
        open_source(tmp_path)
    with pytest.raises(SettingsError, match="unknown layout"):
        open_source(tmp_path, "hdf4")
    assert "class-folders" in LAYOUTS


def test_content_hash_ignores_the_split_folder_and_sees_every_byte(tmp_path: Path) -> None:
    write_image(tmp_path / "train" / "tumor" / "a.png")
    write_image(tmp_path / "valid" / "tumor" / "b.png", 10)
    whole, part = open_source(tmp_path), open_source(tmp_path / "train")
    training = [i for i, tile in enumerate(whole.tiles) if tile.split == "train"]
    before = content_hash(part, [0])
    assert content_hash(whole, training) == before
    write_image(tmp_path / "train" / "tumor" / "a.png", 101)
    assert content_hash(part, [0]) != before


def test_a_tile_that_is_absent_has_a_hash_too(tmp_path: Path) -> None:
    write_table(tmp_path / "labels.csv", ["tile", "label"], [["absent.png", "tumor"]])
    source = open_source(tmp_path)
    absent = content_hash(source, [0])
    write_image(tmp_path / "absent.png")
    assert content_hash(source, [0]) != absent


def test_real_data_sets_open_as_they_lie_there(pcam: Path, lc25000: Path) -> None:
    tiles = open_source(pcam).tiles
    assert len(tiles) == 9000
    assert {tile.split for tile in tiles} == {"train", "valid", "test"}
    assert class_names(tiles) == ["0", "1"]
    tiles = open_source(lc25000).tiles
    assert len(class_names(tiles)) == 5
    assert len({tile.group for tile in tiles}) == 1231
    assert np.all([tile.split is not None for tile in tiles])
