"""Kaggle's histopathologic-cancer-detection: train and test, zipped or not, and ``train_labels.csv``.

Source:
    https://www.kaggle.com/c/histopathologic-cancer-detection: ``id,label``; an id is the SHA-1 of the
    tile's pixels.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePath

from histocli.data.images import is_image_name
from histocli.data.layouts.archive import Archive
from histocli.data.layouts.image_files import MEMBER_MARK, ImageFileSource
from histocli.data.layouts.label_table import parse_rows
from histocli.data.tiles import Split, Tile
from histocli.errors import InputError
from histocli.plurals import counted

LABELS_NAME = "train_labels.csv"
SUBMISSION_NAME = "sample_submission.csv"
PARTS: tuple[Split, ...] = ("train", "test")


def open_kaggle(path: Path) -> ImageFileSource | None:
    """Recognise the competition's folder, or its train or test alone; archives are not unpacked."""
    whole = path.is_dir() and path.name not in PARTS
    folder = path if whole else path.parent
    if not _is_competition(folder) or not (whole or path.stem in PARTS):
        return None
    names: list[str] = []
    archives: dict[str, Archive] = {}
    for part in PARTS if whole else (path.stem,):
        # An unpacked folder goes before the archive beside it: whoever unpacked means that.
        if (folder / part).is_dir() and path.suffix != ".zip":
            inside = "" if path.is_dir() and not whole else f"{part}/"
            names += [f"{inside}{name}" for name in _images_in(folder / part)]
        elif (folder / f"{part}.zip").is_file():
            archive = Archive(folder / f"{part}.zip")
            archives[archive.path.name] = archive
            names += [f"{archive.path.name}{MEMBER_MARK}{name}" for name in archive.images()]
    labels_path = folder / LABELS_NAME
    labels = read_labels(labels_path.read_bytes(), labels_path) if labels_path.is_file() else None
    tiles, problems = kaggle_tiles(names, labels, labels_path, part=None if whole else path.stem)
    if not tiles:
        return None
    tables = [labels_path] if labels is not None else []
    base = path if path.is_dir() else folder
    return ImageFileSource(path, "kaggle", tiles, base, archives, tables, problems)


def read_labels(content: bytes, name: PurePath) -> dict[str, str]:
    """Label by id.

    Raises:
        InputError: On a missing column, or an id that is there twice.
    """
    rows = parse_rows(content, name)
    labels: dict[str, str] = {}
    for number, row in enumerate(rows, start=2):
        if not {"id", "label"} <= set(row):
            raise InputError(f"{name}: it needs the columns id and label, it has {', '.join(row)}")
        if row["id"] in labels:
            raise InputError(f"{name}: line {number}: {row['id']} is named a second time")
        labels[row["id"]] = row["label"].strip()
    if not labels:
        raise InputError(f"{name}: it holds no label")
    return labels


def kaggle_tiles(
    names: Iterable[str],
    labels: Mapping[str, str] | None,
    table: PurePath,
    *,
    part: str | None = None,
) -> tuple[list[Tile], list[str]]:
    """Tiles of the competition, sorted, and what is wrong with them.

    Args:
        names: Images; those that are in neither train nor test are left out, unless ``part`` is named.
        labels: Label by id, None without a table.
        table: Names the table in messages.
        part: The part that all images are of.

    Raises:
        InputError: If there is an image to train on, and no label is for any.
    """
    tiles: list[Tile] = []
    for name in sorted(names):
        split = _part_of(name) if part is None else part
        if split == "train":
            label = (labels or {}).get(tile_key(name)) or None
            tiles.append(Tile(id=name, label=label, split="train"))
        elif split == "test":
            tiles.append(Tile(id=name, split="test"))
    training = [tile for tile in tiles if tile.split == "train"]
    if labels is None:
        return tiles, [f"{table.name} is absent: no tile has a label"] if training else []
    unlabelled = [tile.id for tile in training if tile.label is None]
    if training and len(unlabelled) == len(training):
        raise InputError(f"{table}: none of its ids is the name of a tile; {training[0].id} is one")
    found = {tile_key(tile.id) for tile in training}
    problems = _mismatch(unlabelled, "tile", "of train without a label in", table)
    if training:
        absent = sorted(key for key in labels if key not in found)
        problems += _mismatch(absent, "label", "without a tile:", table)
    return tiles, problems


def tile_key(name: str) -> str:
    """Kaggle's id of a tile: its file name without extension."""
    return name.rpartition(MEMBER_MARK)[2].rpartition("/")[2].rpartition(".")[0]


def _is_competition(folder: Path) -> bool:
    has_table = (folder / LABELS_NAME).is_file() or (folder / SUBMISSION_NAME).is_file()
    has_zips = all((folder / f"{part}.zip").is_file() for part in PARTS)
    return has_table or has_zips


def _images_in(folder: Path) -> list[str]:
    return [
        child.name
        for child in folder.iterdir()
        if is_image_name(child.name) and not child.name.startswith(".")
    ]


def _part_of(name: str) -> str:
    """The first folder, or the archive: train, test or neither."""
    return re.split(f"[/{MEMBER_MARK}]", name, maxsplit=1)[0].removesuffix(".zip")


def _mismatch(names: Sequence[str], noun: str, text: str, table: PurePath) -> list[str]:
    if not names:
        return []
    return [f"{counted(len(names), noun)} {text} {table.name} (the first: {names[0]})"]
