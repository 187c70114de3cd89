"""Scores over a small slide: the picture, the GeoJSON, and the command that makes both."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from histocli.data.layouts import open_source
from histocli.data.layouts.slides import SlideSource, open_slides
from histocli.errors import InputError
from histocli.explain.slide_picture import scores_over
from histocli.explain.slides import scored_slides, write_slide_maps
from histocli.predictions import Predictions
from tests.data.layouts.slide_files import with_tissue, write_slide

pytest.importorskip("openslide")


@pytest.fixture
def source(tmp_path: Path) -> SlideSource:
    pixels = with_tissue(1024, 1536, (256, 256, 1280, 768))
    write_slide(tmp_path / "slides" / "one.svs", pixels, 0.25)
    found = open_slides(tmp_path / "slides", {"tile_size_px": 64})
    assert found is not None
    return found


def predictions(tiles: list[str]) -> Predictions:
    scores = np.linspace(0, 1, len(tiles))
    predicted = ["tumor" if score >= 0.5 else "normal" for score in scores]
    table = np.stack([1 - scores, scores], axis=1)
    nothing = [None] * len(tiles)
    return Predictions(tiles, ("normal", "tumor"), table, predicted, nothing, nothing)


def test_tiles_lie_where_they_were_cut_with_their_scores(
    tmp_path: Path, source: SlideSource
) -> None:
    tiles = [tile.id for tile in source.tiles]
    # One tile could not be read.
    scored = predictions(tiles[1:])
    (written,) = write_slide_maps(source, scored, "tumor", tmp_path / "out")
    assert written["slide"] == "one.svs"
    assert written["tiles"] == len(tiles) - 1
    assert written["mean_score"] == pytest.approx(0.5)
    content = json.loads((tmp_path / "out" / "one.svs.geojson").read_text())
    features = content["features"]
    assert content["type"] == "FeatureCollection"
    assert len(features) == len(tiles) - 1
    for name, score, feature in zip(tiles[1:], scored.probabilities[:, 1], features, strict=True):
        left, top = (int(number) for number in name.rpartition("#")[2].split(","))
        ring = feature["geometry"]["coordinates"][0]
        # 64 px at 1 micron per pixel of a slide scanned at 0.25.
        assert ring[0] == ring[-1] == [left, top]
        assert ring[2] == [left + 256, top + 256]
        assert feature["properties"]["measurements"] == {"probability of tumor": score}
        assert feature["properties"]["classification"]["name"] == (
            "tumor" if score >= 0.5 else "normal"
        )


def test_the_picture_tints_scored_tiles_alone(tmp_path: Path, source: SlideSource) -> None:
    scored = predictions([tile.id for tile in source.tiles])
    write_slide_maps(source, scored, "tumor", tmp_path)
    with Image.open(tmp_path / "one.svs.png") as picture:
        assert picture.width > picture.height > 200
    (slide,) = scored_slides(source, scored, "tumor")
    white = np.full((256, 384, 3), 255, np.uint8)
    tinted = np.asarray((scores_over(white, slide, (1536, 1024)) < 1).any(axis=2))
    assert tinted[64:192, 64:320].all()
    assert not tinted[:60].any()
    assert not tinted[200:].any()


def test_tiles_that_are_no_slides_are_refused(tmp_path: Path) -> None:
    Image.new("RGB", (32, 32), "white").save(tmp_path / "a.png")
    source = open_source(tmp_path)
    scored = Predictions(["a.png"], ("a", "b"), np.array([[0.5, 0.5]]), ["a"], [None], [None])
    with pytest.raises(InputError, match="tiles, not slides"):
        write_slide_maps(source, scored, "b", tmp_path / "out")
