"""MedMNIST's NPZ files: ``train_images``, ``train_labels``, ``val_images`` … in one file.

Source:
    Yang et al. 2023, https://medmnist.com: arrays, splits and the class names of PathMNIST.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from sys import intern

from histocli.data.layouts.image_files import MEMBER_MARK
from histocli.data.layouts.npy_rows import NpyRows, keys_of, open_npz, read_array
from histocli.data.layouts.rows import RowSource
from histocli.data.tiles import SPLIT_ALIASES, Tile
from histocli.errors import InputError

SUFFIX = ".npz"
IMAGES, LABELS, GROUPS = "images", "labels", "groups"
# What stands before ``_images``; a file of one split may have nothing there.
PREFIXES = ("train", "val", "valid", "test", "")
# By the beginning of the file's name; other sets have their classes by number.
CLASS_NAMES: Mapping[str, Sequence[str]] = {
    "pathmnist": (
        "adipose",
        "background",
        "debris",
        "lymphocytes",
        "mucus",
        "smooth muscle",
        "normal colon mucosa",
        "cancer-associated stroma",
        "colorectal adenocarcinoma epithelium",
    )
}


def open_medmnist(path: Path) -> RowSource | None:
    """Recognise an NPZ file, or a folder with one; tiles are named ``pathmnist.npz#train/12``."""
    file = _find_file(path)
    if file is None:
        return None
    with open_npz(file) as archive:
        keys = keys_of(archive)
    present = [prefix for prefix in PREFIXES if _key(prefix, IMAGES) in keys]
    if not present:
        raise InputError(
            f"{file}: it has no array of images; expected train_images, val_images, test_images or "
            f"images, there is: {', '.join(keys) or 'none'}"
        )
    tiles: list[Tile] = []
    parts: list[NpyRows] = []
    problems: list[str] = []
    for prefix in present:
        rows = NpyRows(file, _key(prefix, IMAGES))
        parts.append(rows)
        labels = _read_labels(file, keys, prefix, len(rows))
        if labels is None:
            problems.append(f"{file.name}: no {_key(prefix, LABELS)}, so no labels there")
        groups = _read_groups(file, keys, prefix, len(rows))
        inside = f"{prefix}/" if prefix else ""
        split = SPLIT_ALIASES.get(prefix)
        tiles += [
            Tile(
                id=f"{file.name}{MEMBER_MARK}{inside}{row}",
                label=None if labels is None else labels[row],
                group=None if groups is None else groups[row],
                split=split,
            )
            for row in range(len(rows))
        ]
    return RowSource(path, "medmnist", tiles, parts, [file], problems)


def _read_groups(path: Path, keys: Sequence[str], prefix: str, count: int) -> list[str] | None:
    """Patients or slides, which `histo normalize --to npz` keeps."""
    key = _key(prefix, GROUPS)
    if key not in keys:
        return None
    with open_npz(path) as archive:
        values = read_array(archive, path, key)
    if values.shape != (count,) or values.dtype.kind != "U":
        raise InputError(f"{path}: {key} must be {count} texts, one a tile")
    return [intern(str(value)) for value in values]


def _find_file(path: Path) -> Path | None:
    if path.is_file():
        return path if path.suffix.lower() == SUFFIX else None
    found = [file for file in sorted(path.glob(f"*{SUFFIX}")) if _has_images(file)]
    if len(found) > 1:
        names = ", ".join(file.name for file in found)
        raise InputError(f"{path}: several data sets ({names}); name the file of one")
    return found[0] if found else None


def _has_images(path: Path) -> bool:
    with open_npz(path) as archive:
        return any(_key(prefix, IMAGES) in keys_of(archive) for prefix in PREFIXES)


def _key(prefix: str, kind: str) -> str:
    return f"{prefix}_{kind}" if prefix else kind


def _read_labels(path: Path, keys: Sequence[str], prefix: str, count: int) -> list[str] | None:
    key = _key(prefix, LABELS)
    if key not in keys:
        return None
    with open_npz(path) as archive:
        values = read_array(archive, path, key)
    if values.size != count or values.shape[:1] != (count,):
        raise InputError(
            f"{path}: {key} has shape {values.shape}, but {_key(prefix, IMAGES)} has {count} tiles; "
            "one label a tile is needed"
        )
    values = values.reshape(-1)
    if values.dtype.kind == "U":
        return [intern(str(value)) for value in values]
    if values.dtype.kind not in "iub":
        raise InputError(f"{path}: {key} holds {values.dtype}; labels are numbers or text")
    names = next((n for start, n in CLASS_NAMES.items() if path.name.startswith(start)), ())
    if names and values.size and not 0 <= values.min() <= values.max() < len(names):
        raise InputError(f"{path}: {key} holds a class beyond the {len(names)} that are known")
    return [names[value] if names else intern(str(int(value))) for value in values]
