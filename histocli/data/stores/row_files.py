"""Tiles of one size as rows of hidden files, one file for each part of the table."""

import hashlib
import io
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from histocli.data.stores.npz_members import FIRST_TILE_AT

PATTERN = ".tiles-*-*-*.part"
NAMES = re.compile(r"\.tiles-(\d+)-(\d+)-(\d+)x(\d+)x(\d+)\.part")


@dataclass(frozen=True)
class RowFile:
    """The tiles ``start`` to ``stop`` of a table; those not written yet are zeros.

    They lie where an NPZ file of them has them. What stands before and behind does not matter.
    Rows are not mapped: a full disk is then an error, not a dead process, and memory stays flat.
    """

    path: Path
    start: int
    stop: int
    shape: tuple[int, ...]

    @classmethod
    def name(cls, part: range, shape: tuple[int, ...]) -> str:
        """What the file of a part is called; tiles are of ``shape``."""
        return f".tiles-{part.start}-{part.stop}-{'x'.join(map(str, shape))}.part"

    @classmethod
    def create(cls, folder: Path, part: range, shape: tuple[int, ...]) -> "RowFile":
        """Begin the file of a part; tiles are of ``shape``."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / cls.name(part, shape)
        with path.open("wb") as file:
            file.truncate(FIRST_TILE_AT + len(part) * int(np.prod(shape)))
        found = cls.open(path)
        if found is None:
            raise OSError(f"{path}: could not be written")
        return found

    @classmethod
    def open(cls, path: Path) -> "RowFile | None":
        """The file if it is one, and is no shorter than its tiles."""
        found = NAMES.fullmatch(path.name)
        if found is None:
            return None
        start, stop, *shape = map(int, found.groups())
        size = (stop - start) * int(np.prod(shape))
        if path.stat().st_size < FIRST_TILE_AT + size or not size:
            return None
        return cls(path, start, stop, tuple(shape))

    def write(self, indices: Sequence[int], pixels: NDArray[np.uint8]) -> None:
        """Write tiles, by their places in the table."""
        size = int(np.prod(self.shape))
        together = indices[-1] - indices[0] == len(indices) - 1
        blocks = [(indices[0], pixels)] if together else list(zip(indices, pixels, strict=True))
        descriptor = os.open(self.path, os.O_WRONLY)
        try:
            for index, block in blocks:
                content = np.ascontiguousarray(block).reshape(-1).data
                place = FIRST_TILE_AT + (index - self.start) * size
                while content:
                    written = os.pwrite(descriptor, content, place)
                    content, place = content[written:], place + written
        finally:
            os.close(descriptor)

    def read(self, index: int, into: NDArray[np.uint8]) -> None:
        """Read one tile, by its place in the table, or as many as there is room for."""
        with io.FileIO(self.path) as file:
            file.seek(FIRST_TILE_AT + (index - self.start) * int(np.prod(self.shape)))
            if file.readinto(into.reshape(-1).data) != into.size:
                raise OSError(f"{self.path}: ends early")

    def holds(self, index: int, digest: str) -> bool:
        """Whether a tile is here, as its hash says."""
        if not self.start <= index < self.stop:
            return False
        tile = np.empty(self.shape, np.uint8)
        self.read(index, tile)
        return hashlib.sha256(tile.data).hexdigest() == digest


def open_row_files(folder: Path) -> list[RowFile]:
    """All that are in a folder."""
    found = (RowFile.open(path) for path in sorted(folder.glob(PATTERN)))
    return [file for file in found if file is not None]
