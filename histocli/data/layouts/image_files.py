"""The source shared by every layout whose tiles are image files, on disk or in zip archives."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from histocli.data.images import decode_image, is_image_name, read_file
from histocli.data.layouts.archive import Archive
from histocli.data.tiles import SPLIT_ALIASES, Tile
from histocli.run_record import RECORD_NAME

# Between a container and what is in it: ``archive.zip#member``, ``file.h5#row``.
MEMBER_MARK = "#"


@dataclass(frozen=True)
class ImageFileSource:
    """Image files below one folder, and in the archives there.

    Attributes:
        folder: What the ids are relative to.
        archives: By the name that stands before the mark in an id.
        tables: Label tables that were read.
        problems: What is wrong, but does not keep the tiles from being read.
    """

    root: Path
    layout: str
    tiles: Sequence[Tile]
    folder: Path
    archives: Mapping[str, Archive] = field(default_factory=dict)
    tables: Sequence[Path] = ()
    problems: Sequence[str] = ()

    @property
    def files(self) -> Sequence[Path]:
        """Tables and archives: the files that are not tiles themselves."""
        return [*self.tables, *(archive.path for archive in self.archives.values())]

    def read(self, index: int) -> NDArray[np.uint8]:
        """Decode one tile."""
        return decode_image(self.read_bytes(index), self._path(self.tiles[index].id))

    def read_bytes(self, index: int) -> bytes:
        """The file as it lies there."""
        name = self.tiles[index].id
        container, mark, member = name.partition(MEMBER_MARK)
        if mark and container in self.archives:
            return self.archives[container].read(member)
        return read_file(self._path(name))

    def _path(self, name: str) -> str:
        # Without pathlib, which is slow for a quarter of a million names.
        return f"{self.folder}/{name}"


def find_images(folder: Path, is_wanted: Callable[[str], bool] = is_image_name) -> Iterator[str]:
    """POSIX paths, relative to ``folder``, of the images below it, sorted.

    Links are followed, a folder already seen is not entered again, hidden names are passed over, and
    so is what a command of histo wrote below: it is not data unless it is named, or is a split.
    """
    seen: set[str] = set()
    for current, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(current)
        if real in seen or (current != str(folder) and _is_output(Path(current), files)):
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__")))
        # Without pathlib, which is slow for a quarter of a million names.
        inside = current[len(str(folder)) :].strip(os.sep).replace(os.sep, "/")
        for name in sorted(files):
            if is_wanted(name) and not name.startswith("."):
                yield f"{inside}/{name}" if inside else name


def _is_output(folder: Path, files: Sequence[str]) -> bool:
    return RECORD_NAME in files and folder.name.lower() not in SPLIT_ALIASES
