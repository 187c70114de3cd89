"""Folders that `histo normalize` wrote: recognised, matched with their source, and read in its place."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from histocli.data.images import FORMATS, decode_image, is_image_name, read_file
from histocli.data.layouts.image_files import MEMBER_MARK
from histocli.data.layouts.slide_files import is_slide_name
from histocli.data.tiles import SPLIT_ALIASES, Split, Tile, TileSource, content_hash
from histocli.errors import InputError
from histocli.run_record import RunRecord

SUFFIX = "-normalized"
# Before the mark in the id of a tile that is no file of its own.
CONTAINER_SUFFIXES = (".zip", ".h5", ".hdf5", ".npz", ".parquet")
# After the mark where a tile lies in a slide.
PLACE = re.compile(r"(?P<x>\d+),(?P<y>\d+)")


@dataclass(frozen=True)
class NormalizedSource:
    """The table of a raw source over the files of its normalised twin."""

    root: Path
    layout: str
    tiles: Sequence[Tile]
    # Number of leading folders of an id that lie above the normalised folder: the split's name.
    above: int

    def read(self, index: int) -> NDArray[np.uint8]:
        """Decode one normalised tile."""
        path = self._path(index)
        return decode_image(read_file(path), path)

    def read_bytes(self, index: int) -> bytes:
        """The file as it lies there."""
        return read_file(self._path(index))

    def _path(self, index: int) -> Path:
        parts = PurePosixPath(self.tiles[index].id).parts[self.above :]
        return self.root / normalized_name(str(PurePosixPath(*parts)))


def normalized_name(tile_id: str) -> str:
    """Path of a tile after normalisation: always PNG, which every tool reads and which loses nothing.

    A member keeps its path inside the archive; a row of ``file.h5`` becomes ``file-12.png``, a place in
    ``slide.svs`` becomes ``slide-1024-2048.png``.
    """
    if MEMBER_MARK not in tile_id:
        # Without pathlib, which is slow for a quarter of a million names.
        return f"{tile_id.rpartition('.')[0] if is_image_name(tile_id) else tile_id}.png"
    container, mark, member = tile_id.partition(MEMBER_MARK)
    holder = PurePosixPath(container)
    place = PLACE.fullmatch(member) if is_slide_name(holder.name) else None
    if place:
        # In the slide's folder, not in one of its own, which would be taken for a class.
        name = holder.with_name(f"{holder.stem}-{place['x']}-{place['y']}.png")
    elif not mark or holder.suffix.lower() not in CONTAINER_SUFFIXES:
        name = PurePosixPath(tile_id)
    elif member.isdecimal():
        name = holder.with_name(f"{holder.stem}-{member}.png")
    elif holder.stem.lower() in SPLIT_ALIASES:
        name = holder.with_suffix("") / member
    else:
        name = holder.parent / member
    if name.suffix.lower() not in FORMATS:
        return f"{name.as_posix()}.png"
    return name.as_posix() if name.suffix == ".png" else name.with_suffix(".png").as_posix()


def is_normalized(folder: Path) -> bool:
    """Whether `histo normalize` wrote a folder, or the folder that a split lies in."""
    candidates = [folder if folder.is_dir() else folder.parent]
    if candidates[0].name.lower() in SPLIT_ALIASES:
        candidates.append(candidates[0].parent)
    for candidate in candidates:
        record = RunRecord.read_if_present(candidate)
        if record is not None and record.command == "normalize":
            return True
    return False


def find_normalized(
    source: TileSource,
    indices: Sequence[int],
    path: Path,
    split: Split,
    *,
    method: str,
    convention: str,
    reference: str,
) -> NormalizedSource | None:
    """Find the normalised twin of one split, made from the same bytes with the same settings.

    Args:
        source: The raw data set.
        indices: The tiles of the split.
        path: Where the raw data set is.
        split: Which split.
        method: Of the normalisation wanted; by each tile's own estimate alone, as inside a model.
        convention: Of the normalisation wanted.
        reference: Name of the reference wanted.
    """
    folders = {PurePosixPath(source.tiles[index].id).parts[0] for index in indices}
    if len(folders) != 1 or SPLIT_ALIASES.get(next(iter(folders)).lower()) != split:
        # The splits are no folders here: only the whole data set can have a twin.
        folder, above = path.with_name(path.name + SUFFIX), 0
        wanted: Sequence[int] = range(len(source.tiles))
    else:
        folder, above = path / f"{next(iter(folders))}{SUFFIX}", 1
        wanted = indices
    try:
        record = RunRecord.read_if_present(folder)
    except InputError:
        return None
    if record is None or record.state != "done" or record.command != "normalize":
        return None
    settings = {
        "method": method,
        "convention": convention,
        "reference": reference,
        "context": "tile",
        "image": "normalized",
        "to": "folder",
    }
    if "references_by_tile" in record.settings or any(
        record.settings.get(name) != value for name, value in settings.items()
    ):
        return None
    if record.inputs.get("source", {}).get("sha256") != content_hash(source, wanted):
        return None
    return NormalizedSource(folder, source.layout, source.tiles, above)
