"""PatchCamelyon's HDF5 files: images ``x``, labels ``y``, a table with the slides, tumor masks.

Source:
    Veeling et al. 2018, https://github.com/basveeling/pcam: ``camelyonpatch_level_2_split_SPLIT_x.h5``,
    ``_y.h5``, ``_meta.csv`` and, for train, ``_mask.h5``; row i of each is tile i.
"""

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from sys import intern

import numpy as np
from numpy.typing import NDArray

from histocli.data.layouts.hdf5_file import has_dataset, read_classes, read_labels
from histocli.data.layouts.hdf5_rows import Hdf5Rows
from histocli.data.layouts.image_files import MEMBER_MARK
from histocli.data.layouts.rows import RowSource
from histocli.data.layouts.unpacking import unpacked
from histocli.data.tiles import SPLIT_ALIASES, Split, Tile
from histocli.errors import InputError

IMAGES, LABELS, MASK = "x", "y", "mask"
NAME = re.compile(r"(?P<stem>.+)\.(?P<suffix>h5|hdf5)(?P<packed>\.gz)?", re.IGNORECASE)
SLIDE, FLAGS = "wsi", ("tumor_patch", "center_tumor_patch")
# Where torchvision puts the files, below the folder that it is given.
SUBFOLDER = "pcam"


@dataclass(frozen=True)
class PatchCamelyonSource(RowSource):
    """Rows of the HDF5 files, with the tumor masks where they are there."""

    _masks: dict[Path, Hdf5Rows | None] = field(default_factory=dict, repr=False)

    def read_mask(self, index: int) -> NDArray[np.bool_] | None:
        """True where a pixel is tumor, shape ``(H, W)``; None without masks.

        Raises:
            InputError: If the masks do not belong to the images.
        """
        part, row = self._locate(index)
        if not isinstance(part, Hdf5Rows):
            return None
        if part.path not in self._masks:
            self._masks[part.path] = _masks_of(part)
        masks = self._masks[part.path]
        return None if masks is None else np.asarray(masks.raw(row)[..., 0] != 0)


@dataclass(frozen=True, slots=True)
class _Part:
    """The files of one split.

    Attributes:
        images: The HDF5 file, unpacked.
        prefix: Path up to what differs between images, labels and table; None for a file of its own.
        split: What its name says.
    """

    images: Path
    prefix: str | None
    split: Split | None


def open_patchcamelyon(path: Path) -> PatchCamelyonSource | None:
    """Recognise one HDF5 file of tiles, or a folder with those of several splits."""
    found = list(_find_parts(path))
    if not found:
        return None
    folder = path if path.is_dir() else path.parent
    tiles: list[Tile] = []
    rows: list[Hdf5Rows] = []
    files: list[Path] = []
    problems: list[str] = []
    for part in found:
        opened = Hdf5Rows(part.images, IMAGES)
        rows.append(opened)
        files.append(part.images)
        name = part.images.relative_to(folder).as_posix()
        tiles += _tiles(part, name, len(opened), files, problems)
    return PatchCamelyonSource(path, "patchcamelyon", tiles, rows, files, problems)


def _find_parts(path: Path) -> Iterator[_Part]:
    if path.is_file():
        if NAME.fullmatch(path.name):
            yield _part(path)
        return
    for folder in (path, path / SUBFOLDER):
        names = sorted(folder.glob(f"*_{IMAGES}.*")) if folder.is_dir() else []
        files = [name for name in names if NAME.fullmatch(name.name)]
        # A file that was unpacked already goes before its archive.
        chosen = [
            file for file in files if file.suffix != ".gz" or file.with_suffix("") not in files
        ]
        if chosen:
            yield from (_part(file) for file in chosen)
            return


def _part(path: Path) -> _Part:
    images = unpacked(path)
    stem = images.stem
    if not stem.endswith(f"_{IMAGES}"):
        return _Part(images, None, None)
    prefix = stem.removesuffix(IMAGES)
    split = SPLIT_ALIASES.get(prefix.rstrip("_").rpartition("_")[2].lower())
    return _Part(images, prefix, split)


def _tiles(
    part: _Part, name: str, count: int, files: list[Path], problems: list[str]
) -> Iterator[Tile]:
    labels, classes = _labels(part, count, files, problems)
    meta = _meta(part, count, files)
    # One mapping for all tiles that agree: a million of them must fit.
    extras: dict[tuple[str, ...], dict[str, str]] = {}
    disagree = 0
    for row in range(count):
        number = None if labels is None else str(labels[row])
        label = None if number is None else intern(classes.get(number, number))
        slide, *flags = meta[row] if meta else ("",)
        known = {column: flag for column, flag in zip(FLAGS, flags, strict=False) if flag}
        extra = extras.setdefault(tuple(flags), known)
        truth = extra.get("center_tumor_patch")
        disagree += bool(truth and number is not None and number != str(int(truth == "True")))
        yield Tile(f"{name}{MEMBER_MARK}{row}", label, slide or None, part.split, extra)
    if disagree:
        problems.append(f"{name}: {disagree} labels are not the table's center_tumor_patch")


def _labels(
    part: _Part, count: int, files: list[Path], problems: list[str]
) -> tuple[NDArray[np.int64] | None, Mapping[str, str]]:
    """Labels, and the names of those that have one."""
    if part.prefix is None:
        if not has_dataset(part.images, LABELS):
            return None, {}
        return read_labels(part.images, LABELS, count), read_classes(part.images, LABELS)
    path = _beside(part, LABELS)
    if path is None:
        problems.append(f"{part.images.name}: no {part.prefix}{LABELS}.h5 beside it, so no labels")
        return None, {}
    files.append(path)
    return read_labels(path, LABELS, count), read_classes(path, LABELS)


def _meta(part: _Part, count: int, files: list[Path]) -> Sequence[tuple[str, ...]]:
    """Slide and flags of each tile; nothing without a table."""
    path = part.images.with_name(f"{part.prefix}meta.csv")
    if part.prefix is None or not path.is_file():
        return ()
    files.append(path)
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = [
                tuple(intern(row.get(column) or "") for column in (SLIDE, *FLAGS))
                for row in csv.DictReader(file)
            ]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot read the table: {error}") from error
    if len(rows) != count:
        raise InputError(
            f"{path}: it has {len(rows)} rows, but {part.images.name} has {count} tiles; "
            "they do not belong together"
        )
    return rows


def _beside(part: _Part, kind: str) -> Path | None:
    """The file of labels or masks that belongs to the images, unpacked."""
    for ending in (".h5", ".hdf5", ".h5.gz", ".hdf5.gz"):
        path = part.images.with_name(f"{part.prefix}{kind}{ending}")
        if path.is_file():
            return unpacked(path)
    return None


def _masks_of(images: Hdf5Rows) -> Hdf5Rows | None:
    part = _part(images.path)
    if part.prefix is None:
        path = images.path if has_dataset(images.path, MASK) else None
    else:
        path = _beside(part, MASK)
    if path is None:
        return None
    masks = Hdf5Rows(path, MASK)
    if len(masks) != len(images):
        raise InputError(f"{path}: {len(masks)} masks for {len(images)} tiles")
    return masks
