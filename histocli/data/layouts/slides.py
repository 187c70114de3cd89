"""Whole slides, cut into tiles over their tissue while they are read: ``slide.svs#x,y``.

``x,y`` is the upper left corner in pixels of level 0. Size and resolution of the tiles, the fields of
``SlideTiling``, are stated by the user, by the model that is used, or by ``slides.toml`` beside the slides.

Source:
    https://openslide.org/formats: what OpenSlide reads.
"""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from histocli.data.images import is_image_name
from histocli.data.layouts.image_files import MEMBER_MARK, find_images
from histocli.data.layouts.rows import RowSource
from histocli.data.layouts.slide_files import (
    TIFF_SUFFIXES,
    SlideHandles,
    is_slide_name,
    looks_like_slide,
)
from histocli.data.layouts.slide_labels import label_slides
from histocli.data.layouts.slide_rows import DamagedSlide, SlideRows
from histocli.data.layouts.slide_tiling import (
    SlideTiling,
    find_tiling_file,
    make_grid,
    read_tiling,
)
from histocli.data.layouts.tissue_regions import tissue_fractions
from histocli.data.loading import default_workers
from histocli.data.tiles import SPLIT_ALIASES, Tile
from histocli.errors import InputError

# A folder whose first TIFF files are none is no folder of slides: the rest need not be opened.
TIFF_FILES_TRIED = 64
Part = SlideRows | DamagedSlide


@dataclass(frozen=True)
class SlideSource(RowSource):
    """Tiles of slides.

    Attributes:
        details: What is known of each slide.
        tiling: How they were cut.
    """

    details: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    tiling: SlideTiling = field(default_factory=SlideTiling)

    @property
    def configuration(self) -> Mapping[str, object]:
        """How the slides were cut."""
        return asdict(self.tiling)


def open_slides(
    path: Path,
    stated: Mapping[str, Any] | None = None,
    of_the_model: Mapping[str, Any] | None = None,
) -> SlideSource | None:
    """Recognise a slide, or a folder of slides, with class folders or a table of slides.

    A slide that cannot be opened is one tile that cannot be read: it is listed with the skipped ones.

    Args:
        path: The slide or the folder.
        stated: Fields of ``SlideTiling`` that go before all others.
        of_the_model: Fields that go before ``slides.toml``: a model is made for one resolution.

    Raises:
        InputError: If not one tile can be had.
        SettingsError: If OpenSlide is not installed, or the tiling is wrong.
    """
    names = list(_find_slides(path))
    if not names:
        return None
    folder = path if path.is_dir() else path.parent
    # A split opened alone belongs to what lies above it.
    folders = [folder, *([folder.parent] if folder.name.lower() in SPLIT_ALIASES else [])]
    tables = [file for file in map(find_tiling_file, folders) if file is not None][:1]
    beside = read_tiling(tables[0]) if tables else SlideTiling()
    tiling = replace(beside, **{**(of_the_model or {}), **(stated or {})})
    slides, table, problems = label_slides(names, folders)
    parts = _open_all([folder / slide.id for slide in slides], tiling)
    reasons = {
        slide.id: _reason(part, tiling)
        for slide, part in zip(slides, parts, strict=True)
        if isinstance(part, DamagedSlide) or not len(part)
    }
    if len(reasons) == len(slides):
        raise InputError(f"{folder / slides[0].id}: {reasons[slides[0].id]}")
    kept = [(slide, part) for slide, part in zip(slides, parts, strict=True) if len(part)]
    return SlideSource(
        path,
        "slides",
        [tile for slide, part in kept for tile in _tiles(slide, part)],
        [part for _, part in kept],
        [*(part.path for part in parts), *([table] if table else []), *tables],
        [*problems, *(f"{name}: {reason}" for name, reason in reasons.items())],
        {slide.id: _details(part, tiling) for slide, part in zip(slides, parts, strict=True)},
        tiling,
    )


def _find_slides(path: Path) -> Iterator[str]:
    """The slides, unless most of what lies there is plain images."""
    if path.is_file():
        if looks_like_slide(path):
            yield path.name
        return
    if not path.is_dir():
        return
    names = list(find_images(path, lambda name: is_slide_name(name) or is_image_name(name)))
    tiff = [name for name in names if name.lower().endswith(TIFF_SUFFIXES)]
    if not any(looks_like_slide(path / name) for name in tiff[:TIFF_FILES_TRIED]):
        tiff = []
    tried = {*tiff, *(name for name in names if not is_image_name(name))}
    slides = [name for name in names if name in tried and looks_like_slide(path / name)]
    # Labels and thumbnails beside a slide are called after it.
    stems = tuple({PurePosixPath(name).stem for name in slides})
    others = set(names).difference(slides)
    images = [name for name in others if not PurePosixPath(name).name.startswith(stems)]
    if len(images) <= len(slides):
        yield from slides


def _open_all(paths: list[Path], tiling: SlideTiling) -> list[Part]:
    handles = SlideHandles()
    with ThreadPoolExecutor(default_workers(), "tissue") as pool:
        return list(pool.map(partial(_open_one, tiling=tiling, handles=handles), paths))


def _open_one(path: Path, tiling: SlideTiling, handles: SlideHandles) -> Part:
    """The tiles of one slide that are tissue, row by row."""
    try:
        grid = make_grid(handles.get(path), path, tiling)
        shares = tissue_fractions(handles, path, grid)
    except InputError as error:
        return DamagedSlide(path, str(error).removeprefix(f"{path}: "))
    rows, columns = np.nonzero(shares >= tiling.minimum_tissue_fraction)
    places = [grid.place(int(column), int(row)) for row, column in zip(rows, columns, strict=True)]
    return SlideRows(path, grid, places, handles)


def _reason(part: Part, tiling: SlideTiling) -> str:
    """Why a slide gives no tile."""
    if isinstance(part, DamagedSlide):
        return part.reason
    return (
        f"none of its {part.grid.columns}x{part.grid.rows} tiles is tissue by "
        f"{tiling.minimum_tissue_fraction:.0%}; lower --minimum-tissue-fraction to take "
        "them all the same"
    )


def _tiles(slide: Tile, part: Part) -> Iterator[Tile]:
    if isinstance(part, DamagedSlide):
        yield slide
        return
    for x, y in part.places:
        name = f"{slide.id}{MEMBER_MARK}{x},{y}"
        yield Tile(name, slide.label, slide.group, slide.split, slide.extra)


def _details(part: Part, tiling: SlideTiling) -> Mapping[str, object]:
    if isinstance(part, DamagedSlide):
        return {"tiles": 0, "microns_per_pixel": None, "tile_microns_per_pixel": None}
    scanned = tiling.microns_per_pixel * tiling.tile_size_px / part.grid.step[0]
    return {
        "tiles": len(part),
        "microns_per_pixel": round(scanned, 4),
        "tile_microns_per_pixel": tiling.microns_per_pixel,
    }
