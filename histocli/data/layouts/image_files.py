"""The source shared by every layout whose tiles are single image files."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from histocli.data.images import decode_image, is_image_name, read_file
from histocli.data.tiles import Tile


@dataclass(frozen=True)
class ImageFileSource:
    """Image files below one folder."""

    root: Path
    layout: str
    tiles: Sequence[Tile]
    folder: Path

    def read(self, index: int) -> NDArray[np.uint8]:
        """Decode one tile."""
        path = self.folder / self.tiles[index].id
        return decode_image(read_file(path), path)

    def read_bytes(self, index: int) -> bytes:
        """The file as it lies there."""
        return read_file(self.folder / self.tiles[index].id)


def find_images(folder: Path) -> Iterator[str]:
    """POSIX paths, relative to ``folder``, of the images below it, sorted.

    Links are followed, a folder already seen is not entered again, hidden names are passed over.
    """
    seen: set[str] = set()
    for current, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(current)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__")))
        for name in sorted(files):
            if is_image_name(name) and not name.startswith("."):
                yield Path(current, name).relative_to(folder).as_posix()
