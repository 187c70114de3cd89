"""What holds for each layout: what was written is what is read, in any order, thread and process."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from operator import methodcaller
from pathlib import Path

import numpy as np
import pytest

from histocli.data.layouts import LAYOUTS, open_source
from histocli.data.loading import SkippedTile, load_batches
from histocli.data.tiles import Inspectable, TileSource, content_hash
from histocli.errors import InputError, SettingsError, UnreadableTileError
from tests.data.layouts.examples import EXAMPLES, Example


@pytest.fixture(params=sorted(LAYOUTS))
def layout(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def example(layout: str, tmp_path: Path) -> Example:
    return EXAMPLES[layout](tmp_path)


def test_what_was_written_is_what_is_read(layout: str, example: Example) -> None:
    source = open_source(example.path)
    assert source.layout == layout
    assert isinstance(source, Inspectable)
    assert {tile.id for tile in source.tiles} == set(example.tiles)
    for index, tile in enumerate(source.tiles):
        truth = example.tiles[tile.id]
        assert (tile.label, tile.group, tile.split) == (truth.label, truth.group, truth.split)
        pixels = source.read(index)
        assert pixels.dtype == np.uint8
        np.testing.assert_array_equal(pixels, truth.pixels)


def test_order_and_threads_change_nothing(example: Example) -> None:
    source = open_source(example.path)
    expected = [example.tiles[tile.id].pixels.sum() for tile in source.tiles]
    order = np.random.default_rng(0).permutation(len(expected)).tolist() * 3
    skipped: list[SkippedTile] = []
    found: list[int] = []
    for batch in load_batches(source, order, 5, skipped, workers=4):
        found += batch.pixels.astype(np.int64).sum((1, 2, 3)).tolist()
    assert sorted(found) == sorted(expected * 3)
    assert not skipped


def test_a_source_can_be_sent_to_another_process(example: Example) -> None:
    source = open_source(example.path)
    last = len(source.tiles) - 1
    # Read here first: what was opened for that must stay here.
    expected = source.read(last)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, context) as pool:
        found = pool.submit(methodcaller("read", last), source).result()
    np.testing.assert_array_equal(found, expected)


def test_the_hash_sees_what_is_stored(layout: str, example: Example, tmp_path: Path) -> None:
    source = open_source(example.path)
    everything = range(len(source.tiles))
    before = content_hash(source, everything)
    assert content_hash(open_source(example.path), everything) == before
    other = tmp_path / "other"
    other.mkdir()
    again = open_source(EXAMPLES[layout](other).path)
    assert content_hash(again, everything) == before


def test_naming_the_layout_forces_it(layout: str, example: Example) -> None:
    assert open_source(example.path, layout).layout == layout
    wrong = "medmnist" if layout != "medmnist" else "kaggle"
    with pytest.raises(InputError, match=f"no tiles found as {wrong}"):
        open_source(example.path, wrong)
    with pytest.raises(SettingsError, match="choose one of"):
        open_source(example.path, "tiff-stack")


@pytest.mark.parametrize("share", [0.0, 0.5, 0.9])
def test_a_truncated_file_is_named(example: Example, share: float) -> None:
    content = example.main.read_bytes()
    example.main.write_bytes(content[: int(share * len(content))])
    with pytest.raises((InputError, UnreadableTileError), match=example.main.name):
        read_all(open_source(example.path))


def test_a_file_of_noise_is_named(example: Example) -> None:
    noise = np.random.default_rng(1).integers(0, 256, example.main.stat().st_size)
    example.main.write_bytes(noise.astype(np.uint8).tobytes())
    with pytest.raises((InputError, UnreadableTileError), match=example.main.name):
        read_all(open_source(example.path))


def read_all(source: TileSource) -> None:
    for index in range(len(source.tiles)):
        source.read(index)


def test_each_layout_has_an_example() -> None:
    assert set(EXAMPLES) == set(LAYOUTS)
