"""Label, group and split of slides: from folders, from a table, from neither."""

from pathlib import Path

import pytest

from histocli.data.layouts.slides import SlideSource
from histocli.data.opening import SourceOptions
from histocli.errors import InputError
from tests.data.layouts.examples import write_csv
from tests.data.layouts.slide_files import with_tissue, write_slide

FULL = with_tissue(256, 256, (0, 0, 256, 256))
SMALL = SourceOptions(tile_size_px=64)


def open_at(path: Path) -> SlideSource:
    source = SMALL.open(path)
    assert isinstance(source, SlideSource)
    return source


def by_slide(source: SlideSource) -> dict[str, tuple[str | None, str | None, str | None]]:
    return {t.id.partition("#")[0]: (t.label, t.group, t.split) for t in source.tiles}


def test_class_folders_of_slides_in_splits(tmp_path: Path) -> None:
    for name in ("train/tumor/a.svs", "train/normal/b.svs", "val/tumor/c.tif"):
        write_slide(tmp_path / name, FULL)
    assert by_slide(open_at(tmp_path)) == {
        "train/tumor/a.svs": ("tumor", "a", "train"),
        "train/normal/b.svs": ("normal", "b", "train"),
        "val/tumor/c.tif": ("tumor", "c", "valid"),
    }
    assert by_slide(open_at(tmp_path / "train")) == {
        "tumor/a.svs": ("tumor", "a", None),
        "normal/b.svs": ("normal", "b", None),
    }


@pytest.mark.parametrize("column", ["slide", "wsi", "file", "tile"])
@pytest.mark.parametrize("ending", [".svs", ""])
def test_a_table_of_slides_names_them_with_or_without_extension(
    tmp_path: Path, column: str, ending: str
) -> None:
    for name in ("a", "b"):
        write_slide(tmp_path / f"{name}.svs", FULL)
    rows = [[f"a{ending}", "tumor", "p1", "train"], [f"b{ending}", "normal", "p2", "valid"]]
    write_csv(tmp_path / "labels.csv", [column, "label", "patient", "split"], rows)
    source = open_at(tmp_path)
    assert by_slide(source) == {
        "a.svs": ("tumor", "p1", "train"),
        "b.svs": ("normal", "p2", "valid"),
    }
    assert not source.problems
    assert tmp_path / "labels.csv" in source.files


def test_slides_that_the_table_lacks_have_no_label_and_are_counted(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        write_slide(tmp_path / f"{name}.svs", FULL)
    write_csv(tmp_path / "labels.csv", ["slide", "label"], [["a", "tumor"]])
    source = open_at(tmp_path)
    assert by_slide(source)["b.svs"] == (None, "b", None)
    assert source.problems == ["labels.csv: it does not name 2 slides (b.svs …)"]


def test_a_table_of_other_slides_is_a_problem(tmp_path: Path) -> None:
    write_slide(tmp_path / "a.svs", FULL)
    write_csv(tmp_path / "labels.csv", ["slide", "label"], [["z", "tumor"]])
    source = open_at(tmp_path)
    assert by_slide(source) == {"a.svs": (None, "a", None)}
    assert source.problems == ["labels.csv: it names none of the slides"]


def test_a_split_that_does_not_exist_names_the_table(tmp_path: Path) -> None:
    write_slide(tmp_path / "a.svs", FULL)
    write_csv(tmp_path / "labels.csv", ["slide", "split"], [["a", "dev"]])
    with pytest.raises(InputError, match=r"labels\.csv: .*'dev' is none of train, valid, test"):
        open_at(tmp_path)
