"""One NPZ file of arrays, as MedMNIST has them: no encoding, no file a tile."""

import os
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, cast

import numpy as np
from numpy.typing import NDArray

from histocli.atomic_files import atomic_path
from histocli.data.stores.npz_members import Overlay, add_text, add_tiles
from histocli.data.stores.part_rows import PartRows, by_split
from histocli.data.tiles import TileSource

FILE_NAME = "tiles.npz"
# What MedMNIST calls the splits.
PREFIXES = {"train": "train", "valid": "val", "test": "test", None: ""}


class NpzStore:
    """``tiles.npz`` with images, labels, groups and names; an array a split where splits are known.

    Until all are there the tiles lie in hidden files of rows, one for each process that writes. The
    arrays are stored, not compressed, so they can be mapped.

    Args:
        source: The tiles; all of one size.
        output: The folder.
        part: The tiles that this process may write.
    """

    def __init__(self, source: TileSource, output: Path, part: range) -> None:
        self._source = source
        self._path = output / FILE_NAME
        self._rows = PartRows(source, output, part)

    def write(self, indices: Sequence[int], pixels: NDArray[np.uint8]) -> list[str]:
        """See ``TileStore``.

        Raises:
            SettingsError: If the tiles differ in size.
        """
        return self._rows.write(indices, pixels)

    def holds(self, index: int, digest: str) -> bool:
        """See ``TileStore``."""
        return self._rows.holds(index, digest)

    def finish(self, indices: Sequence[int], digest: Callable[[int], str | None]) -> None:
        """See ``TileStore``.

        Raises:
            SettingsError: If the tiles of several parts differ in size.
        """
        self._rows.refresh()
        if not indices:
            return
        whole = self._rows.whole(indices)
        if whole is None or len(by_split(self._source, indices)) > 1:
            with atomic_path(self._path) as temporary, temporary.open("wb") as file:
                self._write_archive(file, None, indices, digest)
        else:
            # The rows lie where the archive has them: it is made around them, and they can still be
            # read as rows if that should not come to its end.
            with whole.path.open("r+b") as file:
                self._write_archive(file, Overlay(file), indices, digest)
                file.truncate()
                os.fsync(file.fileno())
            whole.path.replace(self._path)
        self.discard()

    def discard(self) -> None:
        """See ``TileStore``."""
        self._rows.discard()

    def is_finished(self, indices: Sequence[int]) -> bool:
        """See ``TileStore``."""
        return bool(indices) and self._path.is_file() and not self._rows.are_left()

    def names(self, indices: Sequence[int]) -> list[str]:
        """See ``TileStore``."""
        found = {}
        for split, members in by_split(self._source, indices).items():
            inside = f"{PREFIXES[split]}/" if split else ""
            found.update({index: f"{FILE_NAME}#{inside}{row}" for row, index in enumerate(members)})
        return [found[index] for index in indices]

    def close(self) -> None:
        """See ``TileStore``: nothing is held."""

    def _write_archive(
        self,
        file: IO[bytes],
        over: Overlay | None,
        indices: Sequence[int],
        digest: Callable[[int], str | None],
    ) -> None:
        shape = self._rows.shape()
        # zipfile asks for no more of a file than an overlay has.
        with zipfile.ZipFile(cast("IO[bytes]", over or file), "w", zipfile.ZIP_STORED) as archive:
            for split, members in by_split(self._source, indices).items():
                blocks = self._rows.blocks(members, digest)
                add_tiles(archive, _key(split, "images"), (len(members), *shape), blocks, over)
                tiles = [self._source.tiles[index] for index in members]
                columns: dict[str, list[str | None]] = {
                    "labels": [tile.label for tile in tiles],
                    "groups": [tile.group for tile in tiles],
                    "tiles": [tile.id for tile in tiles],
                }
                for kind, values in columns.items():
                    if any(value is not None for value in values):
                        add_text(archive, _key(split, kind), [value or "" for value in values])


def _key(split: str | None, kind: str) -> str:
    return f"{PREFIXES[split]}_{kind}" if split else kind
