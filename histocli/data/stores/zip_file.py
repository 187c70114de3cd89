"""One zip file of PNG images in the layout of the source: one file to copy to a cluster."""

import shutil
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from histocli.atomic_files import atomic_path
from histocli.data.normalized import normalized_name
from histocli.data.stores.folder import FolderStore
from histocli.data.tiles import TileSource

FILE_NAME = "tiles.zip"
PART_NAME = ".tiles"


class ZipStore:
    """``tiles.zip``; until all are there the images lie in a hidden folder.

    Args:
        source: The tiles.
        output: The folder.
        part: Not needed: each tile is a file until all are there.
    """

    def __init__(self, source: TileSource, output: Path, part: range) -> None:
        self._source = source
        self._path = output / FILE_NAME
        self._part = output / PART_NAME
        self._folder = FolderStore(source, self._part, part)

    def write(self, indices: Sequence[int], pixels: NDArray[np.uint8]) -> list[str]:
        """See ``TileStore``."""
        return self._folder.write(indices, pixels)

    def holds(self, index: int, digest: str) -> bool:
        """See ``TileStore``."""
        return self._folder.holds(index, digest)

    def finish(self, indices: Sequence[int], digest: Callable[[int], str | None]) -> None:
        """See ``TileStore``."""
        del digest
        with (
            atomic_path(self._path) as temporary,
            zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive,
        ):
            for index in indices:
                name = normalized_name(self._source.tiles[index].id)
                # Without a time of its own: the same tiles are the same bytes.
                member = zipfile.ZipInfo(name)
                member.external_attr = 0o644 << 16
                archive.writestr(member, (self._part / name).read_bytes())
        self.discard()

    def discard(self) -> None:
        """See ``TileStore``."""
        shutil.rmtree(self._part, ignore_errors=True)

    def is_finished(self, indices: Sequence[int]) -> bool:
        """See ``TileStore``."""
        return bool(indices) and self._path.is_file() and not self._part.exists()

    def names(self, indices: Sequence[int]) -> list[str]:
        """See ``TileStore``."""
        return [f"{FILE_NAME}#{name}" for name in self._folder.names(indices)]

    def close(self) -> None:
        """See ``TileStore``."""
        self._folder.close()
