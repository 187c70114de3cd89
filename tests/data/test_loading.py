from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from histocli.data.layouts import open_source
from histocli.data.loading import (
    SkippedTile,
    check_skipped,
    load_batches,
    read_batches,
    write_skipped,
)
from histocli.errors import InputError, SkippedInputsError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(20):
        side = 8 if number % 5 else 12
        Image.new("RGB", (side, side), (number, 0, 0)).save(tmp_path / f"{number:02d}.png")
    (tmp_path / "07.png").write_bytes(b"broken")
    return tmp_path


@pytest.mark.parametrize("workers", [1, 2, 7])
def test_batches_are_the_same_for_any_number_of_workers(folder: Path, workers: int) -> None:
    source = open_source(folder)
    skipped: list[SkippedTile] = []
    order = list(reversed(range(20)))
    batches = list(load_batches(source, order, 6, skipped, workers=workers))
    assert [batch.indices.tolist() for batch in batches] == [
        [19, 18, 17, 16, 14],
        [15],
        [13, 12, 11, 9, 8],
        [10],
        [6, 4, 3, 2],
        [5],
        [1],
        [0],
    ]
    for batch in batches:
        assert batch.pixels.shape[1] == 3
        np.testing.assert_array_equal(batch.pixels[:, 0, 0, 0], batch.indices)
    assert [tile.id for tile in skipped] == ["07.png"]


def test_one_thread_reads_batches_of_one_size_and_of_so_many_bytes(folder: Path) -> None:
    skipped: list[SkippedTile] = []
    batches = list(
        read_batches(open_source(folder), range(20), skipped, bytes_at_hand=8 * 8 * 3 * 7)
    )
    # 12 px are of more bytes: four of them are enough.
    assert [batch.indices.tolist() for batch in batches] == [
        [1, 2, 3, 4, 6, 8, 9],
        [0, 5, 10, 15],
        [11, 12, 13, 14, 16, 17, 18],
        [19],
    ]
    for batch in batches:
        assert batch.pixels.flags.c_contiguous
        assert batch.pixels.shape[1] == 3
        np.testing.assert_array_equal(batch.pixels[:, 0, 0, 0], batch.indices)
    assert [tile.id for tile in skipped] == ["07.png"]


def test_leaving_early_leaves_no_thread_waiting(folder: Path) -> None:
    batches = load_batches(open_source(folder), range(20), 2, [])
    next(iter(batches))
    batches.close()  # type: ignore[attr-defined] # a generator has it


def test_skipped_tiles_are_listed_and_judged(tmp_path: Path) -> None:
    skipped = [SkippedTile("b.png", "the file is empty"), SkippedTile("a.png", "truncated")]
    path = write_skipped(tmp_path, skipped)
    assert path is not None
    assert path.read_text().splitlines() == [
        "tile,reason",
        "a.png,truncated",
        "b.png,the file is empty",
    ]
    check_skipped(skipped, 3, strict=False)
    with pytest.raises(SkippedInputsError, match="2 of 3"):
        check_skipped(skipped, 3, strict=True)
    with pytest.raises(InputError, match="none of the 2"):
        check_skipped(skipped, 2, strict=False)
    assert write_skipped(tmp_path, []) is None
    assert not path.exists()
