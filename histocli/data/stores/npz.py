"""One NPZ file of arrays, as MedMNIST has them: no encoding, no file a tile."""

import hashlib
import io
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from histocli.atomic_files import atomic_path
from histocli.data.tiles import TileSource
from histocli.errors import SettingsError

FILE_NAME = "tiles.npz"
PART_NAME = ".tiles.part"
ROWS_AT_ONCE = 1024
# What MedMNIST calls the splits.
PREFIXES = {"train": "train", "valid": "val", "test": "test", None: ""}


class NpzStore:
    """``tiles.npz`` with images, labels, groups and names; an array a split where splits are known.

    Until all are there the tiles lie in a hidden file of rows. The arrays are stored, not compressed, so
    they can be mapped.

    Args:
        source: The tiles; all of one size.
        output: The folder.
        workers: Not needed.
    """

    def __init__(self, source: TileSource, output: Path, workers: int) -> None:
        del workers
        self._source = source
        self._path = output / FILE_NAME
        self._part = output / PART_NAME
        self._rows: NDArray[np.uint8] | None = None

    def write(self, indices: Sequence[int], pixels: NDArray[np.uint8]) -> list[str]:
        """See ``TileStore``.

        Raises:
            SettingsError: If the tiles differ in size.
        """
        rows = self._open(pixels.shape[1:])
        rows[np.asarray(indices, np.int64)] = pixels
        return [hashlib.sha256(tile).hexdigest() for tile in np.ascontiguousarray(pixels)]

    def holds(self, index: int, digest: str) -> bool:
        """See ``TileStore``."""
        rows = self._existing()
        return rows is not None and hashlib.sha256(rows[index]).hexdigest() == digest

    def finish(self, indices: Sequence[int]) -> None:
        """See ``TileStore``."""
        rows = self._existing()
        if rows is None:
            return
        with (
            atomic_path(self._path) as temporary,
            zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive,
        ):
            for prefix, members in self._by_split(indices):
                tiles = [self._source.tiles[index] for index in members]
                _add(
                    archive, _key(prefix, "images"), (len(members), *rows.shape[1:]), rows, members
                )
                columns: dict[str, list[str | None]] = {
                    "labels": [tile.label for tile in tiles],
                    "groups": [tile.group for tile in tiles],
                    "tiles": [tile.id for tile in tiles],
                }
                for kind, values in columns.items():
                    if any(value is not None for value in values):
                        _add_text(archive, _key(prefix, kind), [value or "" for value in values])
        self.close()
        self._part.unlink(missing_ok=True)

    def is_finished(self, indices: Sequence[int]) -> bool:
        """See ``TileStore``."""
        return bool(indices) and self._path.is_file() and not self._part.exists()

    def names(self, indices: Sequence[int]) -> list[str]:
        """See ``TileStore``."""
        found = {}
        for prefix, members in self._by_split(indices):
            inside = f"{prefix}/" if prefix else ""
            found.update({index: f"{FILE_NAME}#{inside}{row}" for row, index in enumerate(members)})
        return [found[index] for index in indices]

    def close(self) -> None:
        """See ``TileStore``."""
        self._rows = None

    def _by_split(self, indices: Sequence[int]) -> Iterator[tuple[str, list[int]]]:
        for split, prefix in PREFIXES.items():
            members = [index for index in indices if self._source.tiles[index].split == split]
            if members:
                yield prefix, members

    def _open(self, shape: tuple[int, ...]) -> NDArray[np.uint8]:
        rows = self._existing()
        if rows is None:
            self._part.parent.mkdir(parents=True, exist_ok=True)
            header = np.array(shape, np.int64).tobytes()
            with self._part.open("wb") as file:
                file.write(header)
                file.truncate(len(header) + len(self._source.tiles) * int(np.prod(shape)))
            rows = self._existing()
        if rows is None or rows.shape[1:] != shape:
            raise SettingsError(
                f"{self._source.root}: its tiles differ in size, which one array cannot hold; "
                "choose --to folder or --to zip"
            )
        return rows

    def _existing(self) -> NDArray[np.uint8] | None:
        if self._rows is None and self._part.is_file():
            header = np.fromfile(self._part, np.int64, 3)
            shape = (len(self._source.tiles), *header.tolist())
            if self._part.stat().st_size == header.nbytes + int(np.prod(shape)):
                self._rows = np.memmap(self._part, np.uint8, "r+", header.nbytes, shape)
        return self._rows


def _key(prefix: str, kind: str) -> str:
    return f"{prefix}_{kind}" if prefix else kind


def _add(
    archive: zipfile.ZipFile,
    key: str,
    shape: tuple[int, ...],
    rows: NDArray[np.uint8],
    members: Sequence[int],
) -> None:
    """Add some rows as one array, a few at a time."""
    with archive.open(_member(key), "w", force_zip64=True) as file:
        header: dict[str, Any] = {"descr": "|u1", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        for start in range(0, len(members), ROWS_AT_ONCE):
            file.write(rows[members[start : start + ROWS_AT_ONCE]].tobytes())


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
