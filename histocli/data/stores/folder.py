"""A folder of images in the layout of the source."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from histocli.data.normalized import normalized_name
from histocli.data.tiles import TileSource
from histocli.data.writing import write_tile


class FolderStore:
    """One PNG a tile, under the tile's own path; files of a lossy format change their suffix.

    Args:
        source: The tiles.
        output: The folder.
        part: Not needed: each tile is a file.
    """

    def __init__(self, source: TileSource, output: Path, part: range) -> None:
        del part
        self._source = source
        self._output = output

    def write(self, indices: Sequence[int], pixels: NDArray[np.uint8]) -> list[str]:
        """See ``TileStore``."""
        return [write_tile(self._path(i), tile) for i, tile in zip(indices, pixels, strict=True)]

    def holds(self, index: int, digest: str) -> bool:
        """See ``TileStore``."""
        try:
            content = self._path(index).read_bytes()
        except OSError:
            return False
        return bool(hashlib.sha256(content).hexdigest() == digest)

    def finish(self, indices: Sequence[int], digest: Callable[[int], str | None]) -> None:
        """See ``TileStore``: nothing is left to do."""

    def discard(self) -> None:
        """See ``TileStore``: files of an earlier run are written over."""

    def is_finished(self, indices: Sequence[int]) -> bool:
        """See ``TileStore``."""
        return all(self._path(index).is_file() for index in indices)

    def names(self, indices: Sequence[int]) -> list[str]:
        """See ``TileStore``."""
        return [normalized_name(self._source.tiles[index].id) for index in indices]

    def close(self) -> None:
        """See ``TileStore``: nothing is held."""

    def _path(self, index: int) -> Path:
        return self._output / normalized_name(self._source.tiles[index].id)
