"""Tiles decoded once into mapped files: the same batches, whole or absent, never those of other tiles."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import PIL
import pytest
from PIL import Image

from histocli.data.disk_cache import cache_key, check_space, open_cached, write_cached
from histocli.data.layouts import open_source
from histocli.data.loading import SkippedTile, load_batches
from histocli.data.tiles import TileBatch, TileSource
from histocli.errors import HistoError, SettingsError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twenty tiles of two sizes, one of them broken."""
    data = tmp_path / "data"
    data.mkdir()
    for number in range(20):
        side = 8 if number % 5 else 12
        Image.new("RGB", (side, side), (number, 0, 0)).save(data / f"{number:02d}.png")
    (data / "07.png").write_bytes(b"broken")
    return data


def fill(cache: Path, source: TileSource) -> None:
    skipped: list[SkippedTile] = []
    indices = range(len(source.tiles))
    write_cached(cache, source, indices, load_batches(source, indices, 6, skipped), skipped)


def test_batches_are_those_of_the_source(folder: Path, tmp_path: Path) -> None:
    source = open_source(folder)
    cache = tmp_path / "cache" / "key"
    assert open_cached(cache, source, range(20)) is None
    fill(cache, source)
    cached = open_cached(cache, source, range(20))
    assert cached is not None
    order = np.random.default_rng(0).permutation(20).tolist()
    expected_skipped: list[SkippedTile] = []
    skipped: list[SkippedTile] = []
    expected = list(load_batches(source, order, 6, expected_skipped))
    found = list(cached.batches(order, 6, skipped))
    assert skipped == expected_skipped
    assert len(found) == len(expected)
    for (pixels, indices), batch in zip(found, expected, strict=True):
        np.testing.assert_array_equal(pixels, batch.pixels)
        np.testing.assert_array_equal(indices, batch.indices)
        assert type(pixels) is np.ndarray
        assert pixels.flags.writeable
    assert sorted(file.name for file in cache.iterdir()) == [
        "index.json",
        "places.npy",
        "tiles-12x12.u8",
        "tiles-8x8.u8",
    ]
    assert [entry.name for entry in cache.parent.iterdir()] == ["key"]


def test_part_of_a_source_is_cached_by_its_own_positions(folder: Path, tmp_path: Path) -> None:
    source = open_source(folder)
    part = [3, 7, 11, 15]
    skipped: list[SkippedTile] = []
    write_cached(tmp_path / "c", source, part, load_batches(source, part, 2, skipped), skipped)
    cached = open_cached(tmp_path / "c", source, part)
    assert cached is not None
    unreadable: list[SkippedTile] = []
    batches = list(cached.batches([15, 7, 3], 3, unreadable))
    assert [tile.id for tile in unreadable] == ["07.png"]
    found = [(pixels[:, 0, 0, 0].tolist(), indices.tolist()) for pixels, indices in batches]
    assert found == [([15], [15]), ([3], [3])]
    assert open_cached(tmp_path / "c", source, [3, 7, 11]) is None


def test_the_key_follows_content_order_and_versions(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = open_source(folder)
    key = cache_key(source, range(20))
    assert cache_key(open_source(folder), range(20)) == key
    assert cache_key(source, range(19)) != key
    with monkeypatch.context() as patch:
        patch.setattr(PIL, "__version__", "0.1")
        assert cache_key(source, range(20)) != key
    Image.new("RGB", (8, 8), (99, 0, 0)).save(folder / "03.png")
    assert cache_key(open_source(folder), range(20)) != key


def test_the_key_is_the_same_for_a_split_named_and_opened_alone(tmp_path: Path) -> None:
    for split in ("train", "valid"):
        for label in ("normal", "tumor"):
            path = tmp_path / split / label / "a.png"
            path.parent.mkdir(parents=True)
            Image.new("RGB", (8, 8), (len(split), len(label), 0)).save(path)
    whole, part = open_source(tmp_path), open_source(tmp_path / "train")
    training = [i for i, tile in enumerate(whole.tiles) if tile.split == "train"]
    assert cache_key(whole, training) == cache_key(part, range(2))


@pytest.mark.parametrize("name", ["index.json", "places.npy", "tiles-8x8.u8"])
@pytest.mark.parametrize("share", [0.0, 0.5, None])
def test_what_is_not_whole_is_written_again(
    folder: Path, tmp_path: Path, name: str, share: float | None
) -> None:
    source = open_source(folder)
    cache = tmp_path / "cache"
    fill(cache, source)
    content = (cache / name).read_bytes()
    if share is None:
        (cache / name).unlink()
    else:
        (cache / name).write_bytes(content[: int(share * len(content))])
    assert open_cached(cache, source, range(20)) is None
    fill(cache, source)
    assert open_cached(cache, source, range(20)) is not None
    assert (cache / name).read_bytes() == content


def test_an_interrupted_writing_leaves_nothing(folder: Path, tmp_path: Path) -> None:
    source = open_source(folder)

    def interrupted() -> Iterator[TileBatch]:
        yield from list(load_batches(source, range(6), 6, []))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_cached(tmp_path / "cache" / "key", source, range(20), interrupted(), [])
    assert not list((tmp_path / "cache").iterdir())


def test_what_a_killed_process_left_is_removed(folder: Path, tmp_path: Path) -> None:
    source = open_source(folder)
    cache = tmp_path / "key"
    host = socket.gethostname()
    # No process has a number beyond the largest there can be.
    dead, elsewhere = tmp_path / f".key.tmp-{host}-99999999", tmp_path / ".key.tmp-other-1"
    mine = tmp_path / f".key.tmp-{host}-{os.getppid()}"
    for left in (dead, elsewhere, mine):
        left.mkdir()
    fill(cache, source)
    assert not dead.exists()
    assert elsewhere.exists()
    assert mine.exists()


def test_a_disk_without_room_is_said_before_and_while_it_is_written(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SettingsError, match=r"absent: .*TB|absent: .*GB.*--cache-folder"):
        check_space(tmp_path / "absent", 10**18)
    check_space(tmp_path / "absent", 1000)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(HistoError, match="the disk is full; name another folder"):
        fill(tmp_path / "cache" / "key", open_source(folder))
    assert not list((tmp_path / "cache").iterdir())
