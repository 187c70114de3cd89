"""Slide files: which they are, how one is opened, and open ones shared by threads and processes."""

import hashlib
import os
import struct
import threading
import warnings
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from histocli.data.images import MAXIMUM_PIXELS
from histocli.errors import InputError, SettingsError

if TYPE_CHECKING:
    from openslide import OpenSlide, OpenSlideCache

SLIDE_SUFFIXES = (
    *(".svs", ".ndpi", ".mrxs", ".scn", ".bif", ".vms", ".vmu", ".svslide", ".czi", ".dcm"),
)
TIFF_SUFFIXES = (".tif", ".tiff")
# Formats whose other files lie in the slide's folder, or in a folder of the slide's name.
FOLDER_IS_SLIDE = (".vms", ".vmu", ".dcm")
NAMED_FOLDER_IS_SLIDE = (".mrxs",)
HANDLES_KEPT = 16
# Of decoded parts, for all slides together: two rows of tiles across a slide of 100,000 pixels.
CACHE_BYTES = 256_000_000
HASHED_AT_ONCE = 1 << 20
NEWER_SUBFILE, WIDTH, HEIGHT, TILE_WIDTH = 254, 256, 257, 322


def is_slide_name(name: str) -> bool:
    """Whether a file with this name may be a slide; a TIFF file may be an image as well."""
    return name.lower().endswith((*SLIDE_SUFFIXES, *TIFF_SUFFIXES))


def looks_like_slide(path: Path) -> bool:
    """Whether a file is a slide by its name, or a TIFF file laid out as one.

    A TIFF file is a slide if it is stored in tiles and has smaller copies of itself, or is too large to
    be a tile. One without either is an image, whatever its size.
    """
    name = path.name.lower()
    if name.endswith(SLIDE_SUFFIXES):
        return True
    return name.endswith(TIFF_SUFFIXES) and _is_pyramid(path)


def open_slide(path: Path) -> "OpenSlide":
    """Open a slide.

    Raises:
        InputError: If it is none, or damaged.
        SettingsError: If OpenSlide is not installed.
    """
    try:
        import openslide  # an extra: only for those who bring slides
    except (ImportError, OSError) as error:
        raise SettingsError(
            f"{path}: slides are read by OpenSlide, which is not installed: "
            "pip install 'histocli[slides]'"
        ) from error
    try:
        return openslide.OpenSlide(path)
    except openslide.OpenSlideUnsupportedFormatError as error:
        raise InputError(
            f"{path}: no slide that OpenSlide reads; if it should be one, it is cut short or files that "
            "belong to it are missing: get it again"
        ) from error
    except openslide.OpenSlideError as error:
        raise InputError(f"{path}: damaged slide ({error}); get it again") from error


@dataclass(frozen=True, slots=True)
class Levels:
    """The levels of a slide, from the largest.

    Attributes:
        downsamples: How much smaller than level 0 each is.
        dimensions: Width and height of each.
    """

    downsamples: tuple[float, ...]
    dimensions: tuple[tuple[int, int], ...]


class SlideHandles:
    """Open slides, the last few that were used.

    Threads share a handle, each process opens its own, and none is ever pickled.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process = os.getpid()
        self._slides: OrderedDict[Path, OpenSlide] = OrderedDict()
        self._cache: OpenSlideCache | None = None
        self._digests: dict[Path, str] = {}
        self._levels: dict[Path, Levels] = {}
        self._inherited: list[object] = []

    def __reduce__(self) -> tuple[Any, ...]:
        return SlideHandles, ()

    def get(self, path: Path) -> "OpenSlide":
        """A slide, open. It is closed when the last user lets go of it, never under a reader."""
        with self._lock:
            if self._process != os.getpid():
                # Closing what a fork brought along could wait for a lock that no thread holds any more.
                self._inherited += [*self._slides.values(), self._cache]
                self._slides, self._cache = OrderedDict(), None
                self._process = os.getpid()
            if path not in self._slides:
                self._slides[path] = self._open(path)
                if len(self._slides) > HANDLES_KEPT:
                    self._slides.popitem(last=False)
            self._slides.move_to_end(path)
            return self._slides[path]

    def levels(self, path: Path) -> Levels:
        """The levels of a slide, asked for once: after an error in any thread a handle only repeats it."""
        self.get(path)
        return self._levels[path]

    def read_region(
        self, path: Path, location: tuple[int, int], level: int, size: tuple[int, int]
    ) -> Image.Image:
        """A part of a level as RGB; what was not scanned is white, as glass is.

        Args:
            path: The slide.
            location: Left and top, in pixels of level 0.
            level: The level.
            size: Width and height, in pixels of the level.

        Raises:
            InputError: If the part is damaged.
        """
        import openslide

        slide = self.get(path)
        try:
            return _on_white(slide.read_region(location, level, size))
        except openslide.OpenSlideError:
            # After an error of whichever thread a handle only repeats it: ask again with a new one, so
            # that one damaged place spoils no other.
            with self._lock:
                if self._slides.get(path) is slide:
                    del self._slides[path]
        try:
            with open_slide(path) as own:
                return _on_white(own.read_region(location, level, size))
        except openslide.OpenSlideError as error:
            raise InputError(f"{path}: {error}") from error

    def digest(self, path: Path) -> str:
        """SHA-256 of the slide's files, taken once."""
        with self._lock:
            if path not in self._digests:
                self._digests[path] = _digest(path)
            return self._digests[path]

    def _open(self, path: Path) -> "OpenSlide":
        slide = open_slide(path)
        if self._cache is None:
            from openslide import OpenSlideCache

            self._cache = OpenSlideCache(CACHE_BYTES)
        slide.set_cache(self._cache)
        if path not in self._levels:
            self._levels[path] = Levels(slide.level_downsamples, slide.level_dimensions)
        return slide


def _on_white(region: Image.Image) -> Image.Image:
    if region.getchannel("A").getextrema() == (255, 255):
        return region.convert("RGB")
    white = Image.new("RGBA", region.size, "white")
    return Image.alpha_composite(white, region).convert("RGB")


def _is_pyramid(path: Path) -> bool:
    """Whether the pages of a TIFF file are those of a slide, by its header alone."""
    try:
        # Pillow would refuse a slide for its size, and warns where a header is damaged.
        with warnings.catch_warnings(), path.open("rb") as file:
            warnings.simplefilter("ignore")
            head = file.read(8)
            big = len(head) == 8 and 43 in (head[2], head[3])
            directory = ImageFileDirectory_v2(head + file.read(8) if big else head)
            file.seek(directory.next)
            directory.load(file)
            if TILE_WIDTH not in directory:
                return False
            width, height = int(directory[WIDTH]), int(directory[HEIGHT])
            if width * height > MAXIMUM_PIXELS or not directory.next:
                return width * height > MAXIMUM_PIXELS
            file.seek(directory.next)
            directory.load(file)
            return bool(int(directory.get(WIDTH, width)) < width)
    except (OSError, SyntaxError, ValueError, KeyError, TypeError, IndexError, struct.error):
        return False


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    for part in _files(path):
        with part.open("rb") as file:
            while piece := file.read(HASHED_AT_ONCE):
                digest.update(piece)
    return digest.hexdigest()


def _files(path: Path) -> list[Path]:
    suffix = path.suffix.lower()
    if suffix in FOLDER_IS_SLIDE:
        return sorted(file for file in path.parent.iterdir() if file.is_file())
    inside = path.with_suffix("")
    if suffix in NAMED_FOLDER_IS_SLIDE and inside.is_dir():
        return [path, *sorted(file for file in inside.rglob("*") if file.is_file())]
    return [path]
