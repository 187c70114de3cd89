"""One NPZ file of arrays, as MedMNIST has them: no encoding, no file a tile."""

import hashlib
import io
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from histocli.atomic_files import atomic_path
from histocli.data.stores.row_files import PATTERN, RowFile, open_row_files
from histocli.data.tiles import TileSource
from histocli.errors import HistoError, SettingsError

FILE_NAME = "tiles.npz"
# Stays in the cache of a processor while it is read, summed and written.
BYTES_AT_ONCE = 2**20
# What MedMNIST calls the splits.
PREFIXES = {"train": "train", "valid": "val", "test": "test", None: ""}


class NpzStore:
    """``tiles.npz`` with images, labels, groups and names; an array a split where splits are known.

    Until all are there the tiles lie in hidden files of rows, one for each process that writes. The
    arrays are stored, not compressed, so they can be mapped.

    Args:
        source: The tiles; all of one size.
        output: The folder.
        workers: Not needed.
        part: The tiles that this process may write.
    """

    def __init__(self, source: TileSource, output: Path, workers: int, part: range) -> None:
        del workers
        self._source = source
        self._output = output
        self._path = output / FILE_NAME
        self._part = part
        self._files = open_row_files(output)

    def write(self, indices: Sequence[int], pixels: NDArray[np.uint8]) -> list[str]:
        """See ``TileStore``.

        Raises:
            SettingsError: If the tiles differ in size.
        """
        self._own(pixels.shape[1:]).write(indices, pixels)
        return [hashlib.sha256(tile).hexdigest() for tile in np.ascontiguousarray(pixels)]

    def holds(self, index: int, digest: str) -> bool:
        """See ``TileStore``."""
        return any(file.holds(index, digest) for file in self._files)

    def finish(self, indices: Sequence[int], digest: Callable[[int], str | None]) -> None:
        """See ``TileStore``.

        Raises:
            SettingsError: If the tiles of several parts differ in size.
        """
        self._files = open_row_files(self._output)
        if not indices:
            return
        shape = self._common_shape()

        def rows(members: Sequence[int]) -> NDArray[np.uint8]:
            found = np.empty((len(members), *shape), np.uint8)
            files = [self._file_of(index, digest) for index in members]
            together = members[-1] - members[0] == len(members) - 1
            if together and all(file is files[0] for file in files):
                files[0].read(members[0], found)
                return found
            for row, index in enumerate(members):
                files[row].read(index, found[row])
            return found

        with (
            atomic_path(self._path) as temporary,
            zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive,
        ):
            for prefix, members in self._by_split(indices):
                tiles = [self._source.tiles[index] for index in members]
                _add(archive, _key(prefix, "images"), shape, members, rows)
                columns: dict[str, list[str | None]] = {
                    "labels": [tile.label for tile in tiles],
                    "groups": [tile.group for tile in tiles],
                    "tiles": [tile.id for tile in tiles],
                }
                for kind, values in columns.items():
                    if any(value is not None for value in values):
                        _add_text(archive, _key(prefix, kind), [value or "" for value in values])
        self.discard()

    def discard(self) -> None:
        """See ``TileStore``."""
        self.close()
        for path in self._output.glob(PATTERN):
            path.unlink()

    def is_finished(self, indices: Sequence[int]) -> bool:
        """See ``TileStore``."""
        return bool(indices) and self._path.is_file() and not any(self._output.glob(PATTERN))

    def names(self, indices: Sequence[int]) -> list[str]:
        """See ``TileStore``."""
        found = {}
        for prefix, members in self._by_split(indices):
            inside = f"{prefix}/" if prefix else ""
            found.update({index: f"{FILE_NAME}#{inside}{row}" for row, index in enumerate(members)})
        return [found[index] for index in indices]

    def close(self) -> None:
        """See ``TileStore``."""
        self._files = []

    def _by_split(self, indices: Sequence[int]) -> Iterator[tuple[str, list[int]]]:
        for split, prefix in PREFIXES.items():
            members = [index for index in indices if self._source.tiles[index].split == split]
            if members:
                yield prefix, members

    def _own(self, shape: tuple[int, ...]) -> RowFile:
        path = self._output / RowFile.name(self._part)
        found = next((file for file in self._files if file.path == path), None)
        if found is None:
            found = RowFile.create(self._output, self._part, shape)
            self._files.append(found)
        if found.shape != shape:
            raise self._differ()
        return found

    def _common_shape(self) -> tuple[int, ...]:
        shapes = {file.shape for file in self._files}
        if len(shapes) != 1:
            raise self._differ()
        return shapes.pop()

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


def _key(prefix: str, kind: str) -> str:
    return f"{prefix}_{kind}" if prefix else kind


def _add(
    archive: zipfile.ZipFile,
    key: str,
    shape: tuple[int, ...],
    members: Sequence[int],
    rows: Callable[[Sequence[int]], NDArray[np.uint8]],
) -> None:
    """Add some rows as one array, a few at a time."""
    with archive.open(_member(key), "w", force_zip64=True) as file:
        whole = (len(members), *shape)
        header: dict[str, Any] = {"descr": "|u1", "fortran_order": False, "shape": whole}
        np.lib.format.write_array_header_1_0(file, header)
        step = max(1, BYTES_AT_ONCE // int(np.prod(shape)))
        for start in range(0, len(members), step):
            file.write(rows(members[start : start + step]).reshape(-1).data)


def _add_text(archive: zipfile.ZipFile, key: str, values: Sequence[str]) -> None:
    with io.BytesIO() as buffer:
        np.lib.format.write_array(buffer, np.array(values), allow_pickle=False)
        with archive.open(_member(key), "w") as file:
            file.write(buffer.getvalue())


def _member(key: str) -> zipfile.ZipInfo:
    """A member without a time of its own: the same tiles are the same bytes."""
    member = zipfile.ZipInfo(f"{key}.npy")
    member.external_attr = 0o644 << 16
    return member
