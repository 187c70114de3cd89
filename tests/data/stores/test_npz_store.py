"""Tiles packed as an NPZ file of arrays."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from histocli.data.stores.npz_members import FIRST_TILE_AT, Overlay, add_text, add_tiles

TILES = np.random.default_rng(1).integers(0, 256, (5, 8, 8, 3), np.uint8)


def written(path: Path, over: bool, key: str = "images", tiles: np.ndarray = TILES) -> bytes:
    """An archive of tiles and their names, written anew, or around what lies there."""
    if over:
        path.write_bytes(bytes(FIRST_TILE_AT) + tiles.tobytes() + b"left of an earlier end" * 500)
    with path.open("r+b" if over else "w+b") as file:
        overlay = Overlay(file)
        with zipfile.ZipFile(overlay, "w") as archive:  # type: ignore[call-overload] # no whole file
            add_tiles(archive, key, tiles.shape, [tiles[:2], tiles[2:]], overlay if over else None)
            add_text(archive, "tiles", ["a.png", "b.png"])
        file.truncate()
    return path.read_bytes()


@pytest.mark.parametrize("key", ["images", "train_images", "test_images"])
def test_written_around_the_tiles_or_anew_it_is_the_same_file(tmp_path: Path, key: str) -> None:
    assert written(tmp_path / "a.npz", over=True, key=key) == written(
        tmp_path / "b.npz", over=False, key=key
    )


def test_the_first_tile_lies_at_the_beginning_of_a_page(tmp_path: Path) -> None:
    content = written(tmp_path / "a.npz", over=False)
    assert content[FIRST_TILE_AT : FIRST_TILE_AT + TILES.nbytes] == TILES.tobytes()
    for tiles in (np.zeros((0, 8, 8, 3), np.uint8), np.zeros((1000, 1, 1, 3), np.uint8)):
        with np.load(io.BytesIO(written(tmp_path / "b.npz", over=False, tiles=tiles))) as arrays:
            assert arrays["images"].shape == tiles.shape


def test_numpy_and_zip_read_it_and_its_checksums_hold(tmp_path: Path) -> None:
    written(tmp_path / "a.npz", over=True)
    with np.load(tmp_path / "a.npz") as arrays:
        np.testing.assert_array_equal(arrays["images"], TILES)
        assert arrays["tiles"].tolist() == ["a.png", "b.png"]
    with zipfile.ZipFile(tmp_path / "a.npz") as archive:
        assert archive.testzip() is None
