"""Scores over whole slides: a picture of each, and its tiles as GeoJSON for QuPath."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from histocli.atomic_files import write_text
from histocli.data.layouts.slide_files import open_slide
from histocli.data.layouts.slide_rows import SlideRows
from histocli.data.layouts.slides import SlideSource
from histocli.data.tiles import TileSource
from histocli.errors import InputError
from histocli.explain.slide_geojson import tiles_as_geojson
from histocli.explain.slide_picture import write_slide_picture
from histocli.predictions import Predictions

# Longest side of the picture of a slide.
THUMBNAIL_PX = 1200


@dataclass(frozen=True)
class ScoredSlide:
    """One slide, and what the model says of its tiles.

    Attributes:
        path: Of the slide.
        name: Below the source, as the tiles have it.
        places: Left and top of each tile in pixels of level 0, shape ``(N, 2)``.
        step: Width and height of a tile in pixels of level 0.
        scores: Probability of the class that ``scored`` names, shape ``(N,)``.
        scored: The positive class of two; else the class that is predicted of each tile.
        predicted: Class of each tile.
    """

    path: Path
    name: str
    places: NDArray[np.int64]
    step: tuple[float, float]
    scores: NDArray[np.float64]
    scored: str | None
    predicted: Sequence[str]


def write_slide_maps(
    source: TileSource, predictions: Predictions, positive_class: str, output: Path
) -> list[dict[str, Any]]:
    """Write ``NAME.png`` and ``NAME.geojson`` for each slide.

    Args:
        source: Slides.
        predictions: Of their tiles.
        positive_class: Whose probability is shown where there are two classes.
        output: Folder to write.

    Returns:
        For each slide ``slide``, ``tiles`` and ``mean_score``.

    Raises:
        InputError: If the source holds no slides, or none of their tiles was predicted.
    """
    if not isinstance(source, SlideSource):
        raise InputError(
            f"{source.root}: tiles, not slides; --slides maps whole slides, such as SVS or tiled TIFF files"
        )
    written = []
    for slide in scored_slides(source, predictions, positive_class):
        stem = output / slide.name
        with open_slide(slide.path) as opened:
            thumbnail = opened.get_thumbnail((THUMBNAIL_PX, THUMBNAIL_PX)).convert("RGB")
            size = opened.dimensions
        write_text(stem.with_name(f"{stem.name}.geojson"), tiles_as_geojson(slide))
        write_slide_picture(stem.with_name(f"{stem.name}.png"), slide, np.asarray(thumbnail), size)
        mean = float(slide.scores.mean())
        written.append({"slide": slide.name, "tiles": len(slide.scores), "mean_score": mean})
    if not written:
        raise InputError(f"{source.root}: no tile of these slides could be predicted")
    return written


def scored_slides(
    source: SlideSource, predictions: Predictions, positive_class: str
) -> Iterator[ScoredSlide]:
    """The slides with at least one predicted tile; arguments as of ``write_slide_maps``."""
    row_of = {name: row for row, name in enumerate(predictions.tiles)}
    binary = len(predictions.classes) == 2
    column = list(predictions.classes).index(positive_class)
    first = 0
    for part in source.parts:
        tiles = source.tiles[first : first + len(part)]
        first += len(part)
        known = [number for number, tile in enumerate(tiles) if tile.id in row_of]
        if not isinstance(part, SlideRows) or not known:
            continue
        rows = [row_of[tiles[number].id] for number in known]
        probabilities = predictions.probabilities[rows]
        yield ScoredSlide(
            path=part.path,
            name=tiles[0].id.rpartition("#")[0],
            places=np.array([part.places[number] for number in known], np.int64),
            step=part.grid.step,
            scores=probabilities[:, column] if binary else probabilities.max(axis=1),
            scored=positive_class if binary else None,
            predicted=[predictions.predicted[row] for row in rows],
        )
