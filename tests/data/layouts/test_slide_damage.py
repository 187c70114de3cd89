"""Slides with something wrong: each is named, and spoils no other."""

from pathlib import Path

import numpy as np
import pytest

from histocli.data.describe import describe_source
from histocli.data.layouts.slides import SlideSource
from histocli.data.loading import SkippedTile, load_batches
from histocli.data.opening import SourceOptions
from histocli.errors import InputError, UnreadableTileError
from tests.data.layouts.slide_files import damage_tile, with_tissue, write_slide

SMALL = SourceOptions(tile_size_px=16)
FULL = with_tissue(512, 512, (0, 0, 512, 512))


def truncate(path: Path, share: float) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])


def no_slide(path: Path) -> None:
    path.write_bytes(b"not a slide at all" * 100)


DAMAGES = {
    "zero bytes": lambda path: path.write_bytes(b""),
    "a header alone": lambda path: truncate(path, 0.001),
    "half of it": lambda path: truncate(path, 0.5),
    "no slide": no_slide,
}


@pytest.mark.parametrize("suffix", [".svs", ".ndpi", ".mrxs", ".scn"])
@pytest.mark.parametrize("name", DAMAGES)
def test_alone_it_is_named_with_what_to_do(tmp_path: Path, name: str, suffix: str) -> None:
    path = write_slide(tmp_path / "broken.svs", FULL).rename(tmp_path / f"broken{suffix}")
    DAMAGES[name](path)
    with pytest.raises((InputError, UnreadableTileError), match=f"broken{suffix}.*get it again"):
        read_all(SMALL.open(path))


def read_all(source: object) -> None:
    assert isinstance(source, SlideSource)
    for index in range(len(source.tiles)):
        source.read(index)


@pytest.mark.parametrize("name", DAMAGES)
def test_among_others_it_is_skipped_and_listed(tmp_path: Path, name: str) -> None:
    write_slide(tmp_path / "a.svs", FULL)
    DAMAGES[name](write_slide(tmp_path / "b.svs", FULL))
    source = SMALL.open(tmp_path)
    assert isinstance(source, SlideSource)
    skipped: list[SkippedTile] = []
    read = list(load_batches(source, range(len(source.tiles)), 16, skipped))
    assert sum(len(batch.indices) for batch in read) >= 64
    assert skipped
    assert all(tile.id.startswith("b.svs") for tile in skipped)
    found = describe_source(source)
    assert any("b.svs" in problem for problem in found.problems)


@pytest.mark.parametrize("beyond_the_end", [False, True])
def test_a_damaged_part_spoils_its_tiles_only(tmp_path: Path, beyond_the_end: bool) -> None:
    path = write_slide(tmp_path / "slide.tif", FULL, 0.25, (1, 4), compression="zlib", tile_px=128)
    # The smaller copy holds what the tiles are read from: one part of it is a whole slide of 128 pixels.
    source = SourceOptions(microns_per_pixel=0.25, tile_size_px=64).open(path)
    assert len(source.tiles) == 64
    damage_tile(path, 0, 5, beyond_the_end=beyond_the_end)
    source = SourceOptions(microns_per_pixel=0.25, tile_size_px=64).open(path)
    skipped: list[SkippedTile] = []
    batches = list(load_batches(source, range(64), 16, skipped, workers=4))
    # Part 5 of 4 x 4: 128..256 across and down. The filter looks two pixels beyond a tile.
    places = {tile.id.partition("#")[2] for tile in skipped}
    assert {"128,128", "192,128", "128,192", "192,192"} <= places
    assert len(places) <= 16
    assert all("damaged there" in tile.reason for tile in skipped)
    for batch in batches:
        np.testing.assert_array_equal(batch.pixels.std(axis=(2, 3)), 0)


def test_unknown_resolution_is_asked_for_and_can_be_stated(tmp_path: Path) -> None:
    path = write_slide(tmp_path / "unknown.svs", FULL, None)
    message = r"unknown\.svs: .*does not say.*objective was 40x.*--scanned-microns-per-pixel 0\.25"
    with pytest.raises(InputError, match=message):
        SMALL.open(path)
    stated = SourceOptions(tile_size_px=16, scanned_microns_per_pixel=0.25)
    assert len(stated.open(path).tiles) == 64
    (tmp_path / "slides.toml").write_text("scanned_microns_per_pixel = 0.5\n")
    assert len(SMALL.open(path).tiles) == 256


def test_a_resolution_that_no_scanner_has_is_not_believed(tmp_path: Path) -> None:
    # 72 pixels an inch, which programs write that do not know.
    path = write_slide(tmp_path / "screen.svs", FULL, 352.8)
    with pytest.raises(InputError, match=r"screen\.svs: the file says 352\.8.*no scanner has"):
        SMALL.open(path)


def test_a_slide_too_coarse_or_too_small_is_refused(tmp_path: Path) -> None:
    path = write_slide(tmp_path / "coarse.svs", FULL, 0.5)
    with pytest.raises(InputError, match=r"coarse\.svs: scanned at 0\.5 .*--microns-per-pixel"):
        SourceOptions(microns_per_pixel=0.25).open(path)
    # 40x is 0.25, give or take some percent.
    near = write_slide(tmp_path / "near.svs", FULL, 0.262)
    assert SourceOptions(microns_per_pixel=0.25, tile_size_px=32).open(near).tiles
    with pytest.raises(InputError, match=r"coarse\.svs: 512x512 pixels.*--tile-size-px"):
        SourceOptions(tile_size_px=1024).open(path)
