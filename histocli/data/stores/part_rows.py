"""The tiles of a packed store before it is packed: rows of hidden files, one file for each process."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from histocli.data.stores.row_files import PATTERN, RowFile, open_row_files
from histocli.data.tiles import SPLITS, TileSource, in_chunks
from histocli.errors import HistoError, SettingsError

SPLITS_IN_ORDER = (*SPLITS, None)
# Stays in the cache of a processor while it is read, summed and written.
BYTES_AT_ONCE = 2**20


class PartRows:
    """Rows of hidden files; tiles are all of one size.

    Args:
        source: The tiles.
        output: The folder.
        part: The tiles that this process may write.
    """

    def __init__(self, source: TileSource, output: Path, part: range) -> None:
        self._source = source
        self._output = output
        self._part = part
        self._files = open_row_files(output)
        self._beginning = Lock()

    def write(self, indices: Sequence[int], pixels: NDArray[np.uint8]) -> list[str]:
        """Write tiles ``(N, H, W, 3)``; a hash of each.

        Raises:
            SettingsError: If the tiles differ in size.
        """
        self._own(pixels.shape[1:]).write(indices, pixels)
        return [hashlib.sha256(tile).hexdigest() for tile in np.ascontiguousarray(pixels)]

    def holds(self, index: int, digest: str) -> bool:
        """Whether a tile was written, with that hash."""
        return any(file.holds(index, digest) for file in self._files)

    def refresh(self) -> None:
        """Look again: other processes have written their parts."""
        self._files = open_row_files(self._output)

    def shape(self) -> tuple[int, ...]:
        """Of every tile.

        Raises:
            SettingsError: If the tiles of several parts differ in size.
        """
        shapes = {file.shape for file in self._files}
        if len(shapes) != 1:
            raise self._differ()
        return shapes.pop()

    def blocks(
        self,
        indices: Sequence[int],
        digest: Callable[[int], str | None],
        bytes_at_once: int = BYTES_AT_ONCE,
    ) -> Iterator[NDArray[np.uint8]]:
        """Tiles, a few at a time.

        Raises:
            HistoError: If one is no longer there.
        """
        shape = self.shape()
        for members in in_chunks(indices, rows_at_once(shape, bytes_at_once)):
            found = np.empty((len(members), *shape), np.uint8)
            files = [self._file_of(index, digest) for index in members]
            together = members[-1] - members[0] == len(members) - 1
            if together and all(file is files[0] for file in files):
                files[0].read(members[0], found)
            else:
                for row, index in enumerate(members):
                    files[row].read(index, found[row])
            yield found

    def whole(self, indices: Sequence[int]) -> RowFile | None:
        """The one file that holds these tiles and no others, if there is one."""
        if len(self._files) != 1:
            return None
        (file,) = self._files
        return file if list(indices) == list(range(file.start, file.stop)) else None

    def are_left(self) -> bool:
        """Whether there are such files at all."""
        return any(self._output.glob(PATTERN))

    def discard(self) -> None:
        """Remove them."""
        self._files = []
        for path in self._output.glob(PATTERN):
            path.unlink()

    def _own(self, shape: tuple[int, ...]) -> RowFile:
        ends = (self._part.start, self._part.stop)
        with self._beginning:
            found = next((file for file in self._files if (file.start, file.stop) == ends), None)
            if found is None:
                found = RowFile.create(self._output, self._part, shape)
                self._files.append(found)
        if found.shape != shape:
            raise self._differ()
        return found

    def _file_of(self, index: int, digest: Callable[[int], str | None]) -> RowFile:
        files = [file for file in self._files if file.start <= index < file.stop]
        if len(files) > 1:
            files = [file for file in files if file.holds(index, str(digest(index)))]
        if not files:
            tile = self._source.tiles[index].id
            raise HistoError(f"{self._output}: {tile} has been lost; run again with --overwrite")
        return files[0]

    def _differ(self) -> SettingsError:
        return SettingsError(
            f"{self._source.root}: its tiles differ in size, which one array cannot hold; "
            "choose --to folder or --to zip"
        )


def rows_at_once(shape: Sequence[int], bytes_at_once: int = BYTES_AT_ONCE) -> int:
    """Tiles of a shape that so many bytes hold; at least one."""
    return max(1, bytes_at_once // int(np.prod(shape)))


def by_split(source: TileSource, indices: Sequence[int]) -> dict[str | None, list[int]]:
    """Tiles of each split that there is, in the order of ``SPLITS_IN_ORDER``."""
    found: dict[str | None, list[int]] = {split: [] for split in SPLITS_IN_ORDER}
    for index in indices:
        found[source.tiles[index].split].append(index)
    return {split: members for split, members in found.items() if members}
