"""Slides: where tiles are cut, at which resolution, and what their pixels are."""

import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from histocli.data.layouts import open_source
from histocli.data.layouts.slide_tiling import SlideTiling
from histocli.data.layouts.slides import SlideSource
from histocli.data.opening import SourceOptions, facts_of
from histocli.data.tiles import content_hash
from histocli.errors import InputError, SettingsError
from tests.conftest import real_data
from tests.data.layouts.examples import draw, encode, write_file
from tests.data.layouts.slide_files import TISSUE, glass, with_tissue, write_slide

SMALL = SourceOptions(tile_size_px=16)


def open_small(path: Path) -> SlideSource:
    source = SMALL.open(path)
    assert isinstance(source, SlideSource)
    return source


@pytest.mark.parametrize("name", ["slide.svs", "slide.tif", "slide.tiff"])
def test_tiles_lie_over_the_tissue_alone(tmp_path: Path, name: str) -> None:
    # At 0.25 microns per pixel a tile of 16 pixels at 1.0 takes 64.
    pixels = with_tissue(512, 640, (64, 128, 192, 256), (448, 320, 512, 384))
    source = open_small(write_slide(tmp_path / name, pixels))
    expected = {(64, 128), (128, 128), (64, 192), (128, 192), (448, 320)}
    assert {tile.id for tile in source.tiles} == {f"{name}#{x},{y}" for x, y in expected}
    assert {tile.group for tile in source.tiles} == {"slide"}
    assert source.details == {
        name: {"tiles": 5, "microns_per_pixel": 0.25, "tile_microns_per_pixel": 1.0}
    }
    for index in range(5):
        tile = source.read(index)
        assert tile.shape == (16, 16, 3)
        np.testing.assert_allclose(tile[4:-4, 4:-4], np.broadcast_to(TISSUE, (8, 8, 3)), atol=1)


def test_a_tile_at_a_levels_resolution_is_that_levels_pixels(tmp_path: Path) -> None:
    pixels = draw(1, 0, 512)[0] // 2 + 60
    path = write_slide(tmp_path / "slide.tif", pixels, 0.25, (1, 4))
    source = SourceOptions(tile_size_px=16, minimum_tissue_fraction=0.0).open(path)
    assert len(source.tiles) == 64
    level = np.asarray(Image.fromarray(pixels).reduce(4))
    for index in (0, 9, 63):
        x, y = (int(value) // 4 for value in source.tiles[index].id.partition("#")[2].split(","))
        np.testing.assert_array_equal(source.read(index), level[y : y + 16, x : x + 16])


def test_between_levels_a_tile_is_reduced_as_the_whole_slide_would_be(tmp_path: Path) -> None:
    smooth = Image.fromarray(draw(1, 1, 16)[0]).resize((512, 512), Image.Resampling.BICUBIC)
    path = write_slide(tmp_path / "slide.svs", np.asarray(smooth) // 2 + 60, 0.25, (1,))
    options = SourceOptions(microns_per_pixel=0.5, tile_size_px=32, minimum_tissue_fraction=0.0)
    source = options.open(path)
    assert len(source.tiles) == 64
    whole = Image.fromarray(np.asarray(smooth) // 2 + 60)
    expected = np.asarray(whole.resize((256, 256), Image.Resampling.HAMMING)).astype(int)
    for index, tile in enumerate(source.tiles):
        x, y = (int(value) // 2 for value in tile.id.partition("#")[2].split(","))
        found = source.read(index).astype(int)
        np.testing.assert_allclose(found, expected[y : y + 32, x : x + 32], atol=1)


def test_the_user_goes_before_the_model_and_that_before_the_file_beside(tmp_path: Path) -> None:
    write_slide(tmp_path / "slide.svs", with_tissue(512, 512, (0, 0, 512, 512)))
    (tmp_path / "slides.toml").write_text(
        "microns_per_pixel = 0.5\ntile_size_px = 16\nminimum_tissue_fraction = 0.5\n"
    )
    model = {"microns_per_pixel": 2.0, "tile_size_px": 32}
    tilings = [
        facts_of(source)["slides"]
        for source in (
            SourceOptions().open(tmp_path),
            SourceOptions().open(tmp_path, model),
            SourceOptions(microns_per_pixel=1.0).open(tmp_path, model),
        )
    ]
    assert [(t["microns_per_pixel"], t["tile_size_px"]) for t in tilings] == [
        (0.5, 16),
        (2.0, 32),
        (1.0, 32),
    ]
    assert {t["minimum_tissue_fraction"] for t in tilings} == {0.5}


def test_what_a_record_keeps_opens_the_same_tiles(tmp_path: Path) -> None:
    write_slide(tmp_path / "slide.svs", with_tissue(512, 512, (0, 0, 256, 512)))
    source = SourceOptions(tile_size_px=16, minimum_tissue_fraction=0.9).open(tmp_path)
    facts = facts_of(source)
    assert facts["layout"] == "slides"
    again = SourceOptions.recorded(facts).open(tmp_path)
    assert again.tiles == source.tiles
    everything = range(len(source.tiles))
    assert content_hash(again, everything) == content_hash(source, everything)
    other = SourceOptions(tile_size_px=17).over(SourceOptions.recorded(facts)).open(tmp_path)
    assert facts_of(other)["slides"] == {**facts["slides"], "tile_size_px": 17}
    assert facts_of(open_source(real_image(tmp_path / "a.png"))) == {"layout": "images"}


def real_image(path: Path) -> Path:
    write_file(path, encode(draw(1)[0]))
    return path


WRONG_TILINGS = {
    "an unknown key": ("tile_size = 96\n", "'tile_size' is none of microns_per_pixel"),
    "no number": ('microns_per_pixel = "1"\n', "microns_per_pixel is '1'"),
    "a fraction of a pixel": ("tile_size_px = 96.5\n", "whole number of pixels"),
    "beyond all tissue": ("minimum_tissue_fraction = 2\n", "must be 0 to 1"),
    "no TOML": ("microns_per_pixel: 1\n", "cannot be read"),
}


@pytest.mark.parametrize("name", WRONG_TILINGS)
def test_a_wrong_file_of_settings_is_named(tmp_path: Path, name: str) -> None:
    content, message = WRONG_TILINGS[name]
    write_slide(tmp_path / "slide.svs", glass(128, 128))
    (tmp_path / "slides.toml").write_text(content)
    with pytest.raises(SettingsError, match=r"slides\.toml: ") as caught:
        open_source(tmp_path)
    assert message in str(caught.value)


def test_a_tiling_is_refused_where_there_are_tiles(tmp_path: Path) -> None:
    real_image(tmp_path / "tumor" / "a.png")
    with pytest.raises(SettingsError, match=r"class-folders.*--microns-per-pixel"):
        SourceOptions(microns_per_pixel=0.5).open(tmp_path)
    # What a model was trained with is no statement about these tiles.
    assert SourceOptions().open(tmp_path, {"microns_per_pixel": 0.5}).layout == "class-folders"


def test_without_openslide_the_message_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_slide(tmp_path / "slide.svs", glass(128, 128))
    monkeypatch.setitem(sys.modules, "openslide", None)
    with pytest.raises(SettingsError, match=r"slide\.svs: .*pip install 'histocli\[slides\]'"):
        open_source(tmp_path)


def test_tiff_images_are_no_slides(tmp_path: Path) -> None:
    for number in range(3):
        write_file(tmp_path / "tumor" / f"{number}.tif", encode(draw(1, number)[0], "TIFF"))
    assert open_source(tmp_path).layout == "class-folders"
    # Stored in tiles, but without a smaller copy: one level is an image too.
    write_slide(tmp_path / "one" / "flat.tif", draw(1, 0, 256)[0], 0.25, (1,))
    assert open_source(tmp_path / "one").layout == "images"
    assert open_source(tmp_path / "one", "images").read(0).shape == (256, 256, 3)


def test_a_thumbnail_beside_a_slide_is_no_tile(tmp_path: Path) -> None:
    write_slide(tmp_path / "a.svs", with_tissue(256, 256, (0, 0, 256, 256)))
    real_image(tmp_path / "a_thumbnail.png")
    assert {tile.id.partition("#")[0] for tile in open_small(tmp_path).tiles} == {"a.svs"}


def test_a_slide_of_glass_alone_says_so(tmp_path: Path) -> None:
    write_slide(tmp_path / "empty.svs", glass(512, 512))
    with pytest.raises(InputError, match=r"empty\.svs: none of its 8x8 tiles is tissue by 25%"):
        SMALL.open(tmp_path)
    everything = SourceOptions(tile_size_px=16, minimum_tissue_fraction=0.0).open(tmp_path)
    assert len(everything.tiles) == 64


def test_the_default_is_patchcamelyons(tmp_path: Path) -> None:
    assert asdict(SlideTiling()) == {
        "microns_per_pixel": 1.0,
        "tile_size_px": 96,
        "minimum_tissue_fraction": 0.25,
        "scanned_microns_per_pixel": None,
    }
    path = write_slide(tmp_path / "slide.svs", with_tissue(800, 800, (0, 0, 800, 800)))
    assert [tile.id for tile in open_source(path).tiles] == [
        f"slide.svs#{x},{y}" for y in (0, 384) for x in (0, 384)
    ]


def test_a_real_slide_is_cut_over_its_tissue() -> None:
    path = real_data("wsi") / "CMU-1-Small-Region.svs"
    source = SourceOptions(microns_per_pixel=0.5, tile_size_px=224).open(path)
    assert isinstance(source, SlideSource)
    assert source.details[path.name]["microns_per_pixel"] == pytest.approx(0.499, abs=0.001)
    # 2220 x 2967 pixels, a grid of 9 x 13: about half of it is tissue.
    assert 50 < len(source.tiles) < 65
    tile = source.read(len(source.tiles) // 2)
    assert tile.shape == (224, 224, 3)
    assert 100 < tile.mean() < 240
