"""Parquet files with images: labels in all their forms, splits by name, and what is wrong."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from histocli.data.layouts import open_source
from histocli.data.layouts.parquet_rows import ParquetRows
from histocli.errors import InputError, UnreadableTileError
from tests.data.layouts.examples import draw, encode, write_parquet


@pytest.mark.parametrize(
    ("labels", "names", "expected"),
    [
        ([0, 1, -1], ["normal", "tumor"], ["normal", "tumor", None]),
        ([0, 1, None], None, ["0", "1", None]),
        # As 1aurent/PatchCamelyon has them: the same classes as every other carrier.
        ([False, True, None], None, ["0", "1", None]),
        (["stroma", "fat", None], None, ["stroma", "fat", None]),
    ],
)
def test_labels_of_every_kind(
    tmp_path: Path, labels: list[Any], names: list[str] | None, expected: list[str | None]
) -> None:
    write_parquet(tmp_path / "train.parquet", draw(3), labels, names)
    source = open_source(tmp_path / "train.parquet")
    assert source.layout == "huggingface"
    assert [tile.label for tile in source.tiles] == expected
    assert {tile.split for tile in source.tiles} == {"train"}


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("train-00003-of-00013.parquet", "train"),
        ("validation.parquet", "valid"),
        ("val-00000-of-00001.parquet", "valid"),
        ("default/test/0000.parquet", "test"),
        ("training_notes.parquet", None),
        ("tiles.parquet", None),
    ],
)
def test_the_split_is_in_the_name(tmp_path: Path, name: str, split: str | None) -> None:
    write_parquet(tmp_path / name, draw(1), [0])
    assert [tile.split for tile in open_source(tmp_path).tiles] == [split]


def test_plain_bytes_groups_and_other_columns(tmp_path: Path) -> None:
    pixels = draw(2)
    columns = {"image": [encode(t) for t in pixels], "slide": ["s1", None], "quality": [0.5, None]}
    pq.write_table(pa.table(columns), tmp_path / "x.parquet")
    source = open_source(tmp_path / "x.parquet")
    assert [(t.group, t.label, dict(t.extra)) for t in source.tiles] == [
        ("s1", None, {"quality": "0.5"}),
        (None, None, {"quality": ""}),
    ]
    np.testing.assert_array_equal(source.read(1), pixels[1])


def test_rows_without_an_image_are_skipped_by_name(tmp_path: Path) -> None:
    content = [{"bytes": encode(draw(1)[0])}, {"bytes": None}, None, {"bytes": b""}]
    content.append({"bytes": b"no image"})
    kind = pa.struct([("bytes", pa.binary())])
    pq.write_table(pa.table({"image": pa.array(content, kind)}), tmp_path / "x.parquet")
    source = open_source(tmp_path / "x.parquet")
    assert source.read(0).shape == (12, 12, 3)
    reasons = ["holds no image bytes", "holds no image bytes", "file is empty", "not an image"]
    for index, reason in enumerate(reasons, start=1):
        with pytest.raises(UnreadableTileError, match=rf"x\.parquet#{index}: .*{reason}"):
            source.read(index)


def test_a_class_beyond_the_names_is_refused(tmp_path: Path) -> None:
    write_parquet(tmp_path / "x.parquet", draw(1), [2], ["normal", "tumor"])
    with pytest.raises(InputError, match=r"x\.parquet: label 2, but its schema names 2"):
        open_source(tmp_path / "x.parquet")


def test_a_table_that_names_tiles_is_a_manifest(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(encode(draw(1)[0]))
    pq.write_table(pa.table({"tile": ["a.png"], "label": ["x"]}), tmp_path / "any.parquet")
    source = open_source(tmp_path / "any.parquet")
    assert (source.layout, source.tiles[0].label) == ("manifest", "x")
    pq.write_table(pa.table({"number": [1]}), tmp_path / "none.parquet")
    with pytest.raises(InputError, match=r"none\.parquet: no tile column"):
        open_source(tmp_path / "none.parquet")


def test_memory_holds_few_row_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_parquet(tmp_path / "x.parquet", draw(30), [0] * 30)
    loaded: list[int] = []
    load = ParquetRows._load  # noqa: SLF001 - counted, not changed

    def counting(self: ParquetRows, group: int) -> Any:
        loaded.append(group)
        return load(self, group)

    monkeypatch.setattr(ParquetRows, "_load", counting)
    source = open_source(tmp_path / "x.parquet")
    for index in range(30):
        source.read(index)
    assert loaded == list(range(10))


def test_a_broken_parquet_manifest_is_named(tmp_path: Path) -> None:
    (tmp_path / "manifest.parquet").write_bytes(b"PAR1 no parquet PAR1")
    with pytest.raises(InputError, match=r"manifest\.parquet: cannot read the table"):
        open_source(tmp_path)
