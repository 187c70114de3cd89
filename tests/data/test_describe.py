"""What `histo data describe` finds, in sound data and in data with something wrong."""

from pathlib import Path

import pytest

from histocli.data.describe import NO_LABEL, NO_SPLIT, describe_source
from histocli.data.layouts import LAYOUTS, open_source
from tests.data.layouts.examples import EXAMPLES, draw, encode, kaggle, write_csv, write_file


@pytest.mark.parametrize("layout", sorted(LAYOUTS))
def test_counts_are_those_of_the_tiles(layout: str, tmp_path: Path) -> None:
    example = EXAMPLES[layout](tmp_path)
    found = describe_source(open_source(example.path), sample=None)
    truth = example.tiles.values()
    assert (found.layout, found.tiles, found.sampled) == (layout, len(truth), len(truth))
    assert list(found.classes) == sorted({t.label for t in truth if t.label})
    for split, counts in found.by_split.items():
        for label, count in counts.items():
            matching = [
                t for t in truth if (t.split or NO_SPLIT, t.label or NO_LABEL) == (split, label)
            ]
            assert len(matching) == count
    assert sum(sum(counts.values()) for counts in found.by_split.values()) == len(truth)
    side = 28 if layout == "medmnist" else 12
    assert found.sizes == {f"{side}x{side}": len(truth)}
    assert not found.unreadable


def test_splits_stand_in_the_order_of_their_use(tmp_path: Path) -> None:
    EXAMPLES["medmnist"](tmp_path)
    assert list(describe_source(open_source(tmp_path)).by_split) == ["train", "valid", "test"]


def test_each_problem_is_named(tmp_path: Path) -> None:
    for number, name in enumerate(["train/a/1.png", "train/b/2.png", "test/a/3.png"]):
        side = 12 if number else 16
        write_file(tmp_path / name, encode(draw(1, number, side)[0]))
    write_file(tmp_path / "train/a/broken.png", b"")
    rows = [["train/a/1.png", "p1"], ["test/a/3.png", "p1"]]
    write_csv(tmp_path / "labels.csv", ["path", "patient"], rows)
    found = describe_source(open_source(tmp_path))
    text = "\n".join(found.problems)
    assert "test: no tile of class 'b'" in text
    assert "1 group in more than one split (p1 in test and train)" in text
    assert "tiles differ in size: 1 of 4 are not 12x12" in text
    assert "1 of 4 tiles read cannot be decoded (train/a/broken.png: the file is empty)" in text
    assert found.to_json()["unreadable"] == {"train/a/broken.png": "the file is empty"}


def test_the_layouts_own_problems_are_among_them(tmp_path: Path) -> None:
    kaggle(tmp_path)
    (tmp_path / "train_labels.csv").unlink()
    problems = describe_source(open_source(tmp_path)).problems
    assert problems[0] == "train_labels.csv is absent: no tile has a label"
    assert "no tile has a label: good for normalize, qc and predict, not for train" in problems


def test_a_sample_is_drawn_evenly(tmp_path: Path) -> None:
    EXAMPLES["huggingface"](tmp_path)
    found = describe_source(open_source(tmp_path), sample=3)
    assert (found.sampled, found.tiles) == (3, 14)
