"""The tiles of one slide, read where they lie."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from histocli.data.layouts.slide_files import SlideHandles
from histocli.data.layouts.slide_tiling import Grid, best_level
from histocli.errors import InputError, UnreadableTileError

# Left and top, in pixels of level 0.
Place = tuple[int, int]


class SlideRows:
    """Tiles of a slide at some places.

    Each is read from the nearest level that is no coarser and reduced to exactly the wanted microns per
    pixel by Pillow's Hamming filter: as sharp as a reduction can be without the halos that Lanczos draws
    along nuclei, which blur measures and optical density see, and without the uneven steps of a box.

    Args:
        path: The slide.
        grid: Size of its tiles.
        places: Left and top of each, in pixels of level 0.
        handles: Open slides.
    """

    def __init__(
        self, path: Path, grid: Grid, places: Sequence[Place], handles: SlideHandles
    ) -> None:
        self.path, self.grid, self.places = path, grid, places
        self._handles = handles

    def __reduce__(self) -> tuple[Any, ...]:
        return SlideRows, (self.path, self.grid, self.places, self._handles)

    def __len__(self) -> int:
        return len(self.places)

    def read(self, row: int) -> NDArray[np.uint8]:
        """Pixels of one tile, uint8 RGB."""
        try:
            return self._read(self.places[row])
        except InputError as error:
            reason = str(error).removeprefix(f"{self.path}: ")
            raise UnreadableTileError(self.path, f"damaged there: {reason}") from error

    def read_bytes(self, row: int) -> bytes:
        """What the tile's pixels follow from: the checksum of the slide, place and size.

        The pixels themselves would have to be decoded a second time wherever a data set is identified.
        """
        x, y = self.places[row]
        across, down = self.grid.step
        side = self.grid.tile_size_px
        digest = self._handles.digest(self.path)
        return f"{digest} {x},{y} {across!r}x{down!r} {side}".encode()

    def _read(self, place: Place) -> NDArray[np.uint8]:
        levels = self._handles.levels(self.path)
        side = self.grid.tile_size_px
        level, downsample = best_level(levels.downsamples, min(self.grid.step) / side)
        width, height = levels.dimensions[level]
        scale = side * downsample
        left, across, (x0, x1) = _span(
            place[0] / downsample, self.grid.step[0] / scale, side, width
        )
        top, down, (y0, y1) = _span(place[1] / downsample, self.grid.step[1] / scale, side, height)
        location = (round(left * downsample), round(top * downsample))
        region = self._handles.read_region(self.path, location, level, (across, down))
        box = (x0, y0, x1, y1)
        return np.asarray(region.resize((side, side), Image.Resampling.HAMMING, box))


class DamagedSlide:
    """In place of a slide that cannot be opened: one tile that cannot be read, so that it is listed."""

    def __init__(self, path: Path, reason: str) -> None:
        self.path, self.reason = path, reason

    def __len__(self) -> int:
        return 1

    def read(self, row: int) -> NDArray[np.uint8]:
        """Say why there is nothing."""
        del row
        raise UnreadableTileError(self.path, self.reason)

    def read_bytes(self, row: int) -> bytes:
        """Say why there is nothing."""
        del row
        raise UnreadableTileError(self.path, self.reason)


def _span(first: float, scale: float, side: int, edge: int) -> tuple[int, int, tuple[float, float]]:
    """Along one axis, in pixels of the level: what to read, and which part of that is the tile.

    Somewhat more is read, as far as the slide goes: the filter looks beyond the tile.

    Args:
        first: Where the tile begins.
        scale: What becomes one pixel of the tile.
        side: Pixels of the tile.
        edge: Where the level ends.

    Returns:
        Where to begin, how much to read, and where in that the tile begins and ends.
    """
    last = first + scale * side
    margin = math.ceil(scale) + 1
    begin = max(0, math.floor(first) - margin)
    end = min(edge, math.ceil(last) + margin)
    return begin, end - begin, (first - begin, min(last, end) - begin)
