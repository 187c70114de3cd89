"""Where processed tiles are written: a folder of files, or one packed file.

To add one, write a class with these methods and add a line to ``STORES``.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from histocli.data.stores.folder import FolderStore
from histocli.data.stores.hdf5 import Hdf5Store
from histocli.data.stores.npz import NpzStore
from histocli.data.stores.zip_file import ZipStore
from histocli.data.tiles import TileSource
from histocli.errors import SettingsError


class TileStore(Protocol):
    """The tiles of one source, written in any order and at last made whole.

    Several processes may write, each the tiles of its own part and in several threads; one of them makes
    it whole.
    Whatever is under a final name is whole; what a killed process left is known by its hash.
    """

    def write(self, indices: Sequence[int], pixels: NDArray[np.uint8]) -> list[str]:
        """Write tiles ``(N, H, W, 3)``; a hash of each as written."""

    def holds(self, index: int, digest: str) -> bool:
        """Whether a tile was written as ``write`` said, and is still there."""

    def finish(self, indices: Sequence[int], digest: Callable[[int], str | None]) -> None:
        """All that can be written has been: ``indices``, ascending. Give the store its final form."""

    def discard(self) -> None:
        """Remove what an unfinished run left."""

    def is_finished(self, indices: Sequence[int]) -> bool:
        """Whether the final form is there, with those tiles."""

    def names(self, indices: Sequence[int]) -> list[str]:
        """What the tiles ``indices``, ascending and all that there are, are called in the store."""

    def close(self) -> None:
        """Let go of files."""


STORES: Mapping[str, Callable[[TileSource, Path, range], TileStore]] = {
    "folder": FolderStore,
    "npz": NpzStore,
    "zip": ZipStore,
    "h5": Hdf5Store,
}


def open_store(name: str, source: TileSource, output: Path, part: range | None = None) -> TileStore:
    """Open a store by name.

    Args:
        name: A key of ``STORES``.
        source: The tiles.
        output: The folder.
        part: The tiles that this process may write; all if None.

    Raises:
        SettingsError: If it is unknown.
    """
    if name not in STORES:
        raise SettingsError(f"unknown store {name!r}; choose one of {', '.join(STORES)}")
    return STORES[name](source, output, part or range(len(source.tiles)))
