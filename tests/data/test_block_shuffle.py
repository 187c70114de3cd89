"""Shuffling where tiles lie in blocks: nothing lost, deterministic, and each block read once."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from histocli.data.block_shuffle import shuffle_by_block
from histocli.data.layouts import hdf5_rows, open_source
from histocli.data.layouts.hdf5_rows import Hdf5Rows
from histocli.data.layouts.rows import RowSource
from histocli.data.tiles import Blocked, Blocks
from tests.data.layouts.examples import EXAMPLES, draw, write_parquet


@given(
    numbers=st.lists(st.integers(0, 30), min_size=1, max_size=300),
    at_hand=st.integers(1, 9),
    seed=st.integers(0, 1000),
)
def test_each_tile_comes_once_and_each_block_in_one_piece(
    numbers: list[int], at_hand: int, seed: int
) -> None:
    blocks = Blocks(np.array(numbers, np.int64), at_hand)
    order = shuffle_by_block(blocks, np.random.default_rng(seed))
    assert sorted(order.tolist()) == list(range(len(numbers)))
    again = shuffle_by_block(blocks, np.random.default_rng(seed))
    np.testing.assert_array_equal(order, again)
    # A reader that keeps as many blocks loads each of them once.
    kept: dict[int, None] = {}
    loads = 0
    for number in blocks.numbers[order].tolist():
        if number not in kept:
            loads += 1
            if len(kept) == at_hand:
                kept.clear()
            kept[number] = None
    assert loads == len(set(numbers))


def test_blocks_and_what_is_in_them_are_shuffled() -> None:
    blocks = Blocks(np.repeat(np.arange(50), 20), 8)
    orders = [shuffle_by_block(blocks, np.random.default_rng(seed)) for seed in (0, 1)]
    assert orders[0].tolist() != orders[1].tolist()
    # Neighbours in the order are of different blocks, nearly always.
    same = np.diff(blocks.numbers[orders[0]]) == 0
    assert same.mean() < 0.25


def write_h5(path: Path, tiles: int, chunk: int) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("x", data=draw(tiles), chunks=(chunk, 12, 12, 3), compression="gzip")


def test_hdf5_says_where_its_rows_lie_and_loads_each_block_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hdf5_rows, "KEPT_ROWS", 32)
    write_h5(tmp_path / "a.h5", 200, 8)
    source = open_source(tmp_path / "a.h5")
    assert isinstance(source, Blocked)
    blocks = source.blocks(range(200))
    assert blocks is not None
    assert blocks.at_hand == 4
    np.testing.assert_array_equal(blocks.numbers, np.arange(200) // 8)
    loaded: list[int] = []
    load = Hdf5Rows._load  # noqa: SLF001 - how often it is called cannot be seen from outside

    def counted(rows: Hdf5Rows, number: int) -> object:
        loaded.append(number)
        return load(rows, number)

    monkeypatch.setattr(Hdf5Rows, "_load", counted)
    for index in shuffle_by_block(blocks, np.random.default_rng(0)).tolist():
        source.read(index)
    assert sorted(loaded) == list(range(25))


@pytest.mark.parametrize(("chunk", "rows"), [(40, 10), (41, 12), (12, 12), (5, 5)])
def test_layers_larger_than_a_block_are_read_in_even_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int, rows: int
) -> None:
    monkeypatch.setattr(hdf5_rows, "MAXIMUM_BLOCK_BYTES", 12 * 12 * 12 * 3)
    write_h5(tmp_path / "a.h5", 200, chunk)
    source = open_source(tmp_path / "a.h5")
    assert isinstance(source, RowSource)
    blocks = source.blocks(range(200))
    assert blocks is not None
    np.testing.assert_array_equal(blocks.numbers, np.arange(200) // chunk)
    sizes: list[int] = []
    load = Hdf5Rows._load  # noqa: SLF001 - what it reads cannot be seen from outside

    def sized(part: Hdf5Rows, number: int) -> object:
        block = load(part, number)
        sizes.append(len(block))
        return block

    monkeypatch.setattr(Hdf5Rows, "_load", sized)
    pixels = draw(200)
    for index in shuffle_by_block(blocks, np.random.default_rng(0)).tolist():
        np.testing.assert_array_equal(source.read(index), pixels[index])
    assert max(sizes) == rows
    assert sum(sizes) == 200


def test_files_and_row_groups_do_not_share_blocks(tmp_path: Path) -> None:
    write_parquet(tmp_path / "data/train-00000-of-00002.parquet", draw(7), [0] * 7)
    write_parquet(tmp_path / "data/train-00001-of-00002.parquet", draw(4), [1] * 4)
    source = open_source(tmp_path)
    assert isinstance(source, RowSource)
    blocks = source.blocks(range(11))
    assert blocks is not None
    # Row groups of three.
    assert blocks.numbers.tolist() == [0, 0, 0, 1, 1, 1, 2, 3, 3, 3, 4]
    some = source.blocks([10, 0, 6])
    assert some is not None
    assert some.numbers.tolist() == [4, 0, 2]


@pytest.mark.parametrize("layout", ["medmnist", "class-folders", "slides", "zip"])
def test_what_is_read_tile_by_tile_has_no_blocks(layout: str, tmp_path: Path) -> None:
    source = open_source(EXAMPLES[layout](tmp_path).path)
    assert not isinstance(source, Blocked) or source.blocks([0, 1]) is None


def test_an_hdf5_file_of_single_rows_has_no_blocks(tmp_path: Path) -> None:
    write_h5(tmp_path / "a.h5", 20, 1)
    source = open_source(tmp_path / "a.h5")
    assert isinstance(source, Blocked)
    assert source.blocks(range(20)) is None
