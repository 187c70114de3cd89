"""HDF5 files as PatchCamelyon has them: ``x``, ``y`` and a table for each split."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
from numpy.typing import NDArray

from histocli.atomic_files import atomic_path, disk_full, write_csv
from histocli.data.stores.part_rows import PartRows, by_split, rows_at_once
from histocli.data.tiles import Tile, TileSource, class_names
from histocli.errors import HistoError

STEM = "tiles"
# What PatchCamelyon's table says of a tile, where the source says it too.
FLAGS = ("tumor_patch", "center_tumor_patch")
# A file, not a module: it needs nothing of the package, whose import takes longer than its work.
WRITER = Path(__file__).with_name("hdf5_writer.py")
# What HDF5 says of a full disk, and of a full quota.
FULL = ("errno = 28", "errno = 122", "No space left", "quota exceeded")


class Hdf5Store:
    """``tiles_train_x.h5``, ``tiles_train_y.h5`` and ``tiles_train_meta.csv``, and so for each split.

    Chunks bear checksums. Until all are there the tiles lie in hidden files of rows.

    Args:
        source: The tiles; all of one size.
        output: The folder.
        part: The tiles that this process may write.
    """

    def __init__(self, source: TileSource, output: Path, part: range) -> None:
        self._source = source
        self._output = output
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
            HistoError: If HDF5 cannot write.
            SettingsError: If the tiles of several parts differ in size.
        """
        self._rows.refresh()
        if not indices:
            return
        shape = self._rows.shape()
        names = class_names(self._source.tiles)
        arrays = []
        for split, members in by_split(self._source, indices).items():
            tiles = [self._source.tiles[index] for index in members]
            if self._are_labelled(members):
                arrays.append(_labels(self._path(split, "y.h5"), tiles, names))
            _write_table(self._path(split, "meta.csv"), tiles)
            blocks = self._rows.blocks(members, digest)
            arrays.append(Array(self._path(split, "x.h5"), "x", (len(members), *shape), blocks))
        write_hdf5(arrays)
        self.discard()

    def discard(self) -> None:
        """See ``TileStore``."""
        self._rows.discard()

    def is_finished(self, indices: Sequence[int]) -> bool:
        """See ``TileStore``."""
        files = [
            self._path(split, ending)
            for split, members in by_split(self._source, indices).items()
            for ending in ("x.h5", "meta.csv", *["y.h5"] * self._are_labelled(members))
        ]
        return bool(files) and all(map(Path.is_file, files)) and not self._rows.are_left()

    def names(self, indices: Sequence[int]) -> list[str]:
        """See ``TileStore``."""
        found = {}
        for split, members in by_split(self._source, indices).items():
            file = self._path(split, "x.h5").name
            found.update({index: f"{file}#{row}" for row, index in enumerate(members)})
        return [found[index] for index in indices]

    def close(self) -> None:
        """See ``TileStore``: nothing is held."""

    def _are_labelled(self, indices: Sequence[int]) -> bool:
        return all(self._source.tiles[index].label is not None for index in indices)

    def _path(self, split: str | None, ending: str) -> Path:
        return self._output / "_".join(filter(None, (STEM, split, ending)))


@dataclass(frozen=True)
class Array:
    """What an HDF5 file of one array of uint8 is made of.

    Attributes:
        path: The file.
        key: Name of the array.
        shape: Of the array.
        blocks: Its content, in order.
        classes: Names of the labels that the numbers stand for.
    """

    path: Path
    key: str
    shape: Sequence[int]
    blocks: Iterable[NDArray[np.uint8]]
    classes: Sequence[str] = ()

    def facts(self, path: Path) -> dict[str, Any]:
        """What the writer has to know beside the content."""
        return {
            "path": str(path),
            "key": self.key,
            "shape": self.shape,
            "chunk": rows_at_once(self.shape[1:]),
            "classes": self.classes,
        }


def write_hdf5(arrays: Sequence[Array]) -> None:
    """Write HDF5 files, each under its name once all of them are whole.

    In a process of its own: after a full disk HDF5 ends the process that it is in.

    Raises:
        HistoError: If they cannot be written.
    """
    with ExitStack() as files:
        facts = [array.facts(files.enter_context(atomic_path(array.path))) for array in arrays]
        command = [sys.executable, str(WRITER), json.dumps(facts)]
        with subprocess.Popen(  # noqa: S603 - our own file, no shell
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        ) as process:
            # What breaks the pipe, the writer says.
            with suppress(BrokenPipeError):
                for block in (block for array in arrays for block in array.blocks):
                    cast("IO[bytes]", process.stdin).write(block.reshape(-1).data)
            _, said = process.communicate()
        if process.returncode:
            reason = said.decode(errors="replace").strip() or f"it ended with {process.returncode}"
            if any(words in reason for words in FULL):
                raise disk_full(arrays[0].path.parent)
            raise HistoError(f"{arrays[0].path.parent}: HDF5 could not write there: {reason}")


def _labels(path: Path, tiles: Sequence[Tile], names: Sequence[str]) -> Array:
    """What ``y`` is made of; PatchCamelyon's own labels are numbers, and have no names."""
    if len(names) > np.iinfo(np.uint8).max + 1:
        raise HistoError(f"{path}: it cannot hold {len(names)} classes; choose --to npz")
    numbers = {name: number for number, name in enumerate(names)}
    values = np.array([numbers[tile.label or ""] for tile in tiles], np.uint8)
    named = list(names) != [str(number) for number in range(len(names))]
    return Array(path, "y", (len(tiles), 1, 1, 1), [values], names if named else ())


def _write_table(path: Path, tiles: Sequence[Tile]) -> None:
    flags = [flag for flag in FLAGS if any(flag in tile.extra for tile in tiles)]
    rows = [
        [row, tile.id, tile.label, *(tile.extra.get(flag) for flag in flags), tile.group]
        for row, tile in enumerate(tiles)
    ]
    write_csv(path, ["", "tile", "label", *flags, "wsi"], rows)
