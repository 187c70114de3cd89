"""Data-set layouts: each file recognises one and gives its ``TileSource``.

To add one, write a file with a function like these and add a line to ``LAYOUTS``.
"""

import os
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from histocli.data.layouts.class_folders import open_class_folders
from histocli.data.layouts.huggingface import open_huggingface
from histocli.data.layouts.images import open_images
from histocli.data.layouts.kaggle import open_kaggle
from histocli.data.layouts.manifest import open_manifest
from histocli.data.layouts.medmnist import open_medmnist
from histocli.data.layouts.patchcamelyon import open_patchcamelyon
from histocli.data.layouts.slides import SlideSource, open_slides
from histocli.data.layouts.zip_archive import open_zip
from histocli.data.tiles import TileSource
from histocli.errors import InputError, SettingsError, UnreadableTileError

# What libraries raise on a damaged file, each after its own taste.
DAMAGE = (
    OSError,
    RuntimeError,
    ValueError,
    LookupError,
    TypeError,
    ArithmeticError,
    EOFError,
    zlib.error,
)

Layout = Callable[[Path], TileSource | None]

# In the order of asking: the first that recognises the path opens it. Those that know their files by
# name go before those that take any image.
LAYOUTS: Mapping[str, Layout] = {
    "kaggle": open_kaggle,
    "patchcamelyon": open_patchcamelyon,
    "zip": open_zip,
    "slides": open_slides,
    "class-folders": open_class_folders,
    "medmnist": open_medmnist,
    "manifest": open_manifest,
    "huggingface": open_huggingface,
    "images": open_images,
}
CONTAINERS = ("*.zip", "*.npz", "*.h5", "*.h5.gz", "*.hdf5", "*.parquet")


def open_source(
    path: Path,
    layout: str | None = None,
    tiling: Mapping[str, Any] | None = None,
    tiling_of_the_model: Mapping[str, Any] | None = None,
) -> TileSource:
    """Open whatever data set lies at ``path``.

    Args:
        path: A folder, a table, an archive, a file of arrays, a slide or an image.
        layout: A key of ``LAYOUTS`` to force one.
        tiling: Fields of ``SlideTiling`` that the user states.
        tiling_of_the_model: Fields that a model was trained with, for slides.

    Raises:
        InputError: If nothing there can be read.
        SettingsError: If the layout is unknown, or a tiling is stated for what is no slide.
    """
    if not path.exists():
        raise InputError(f"{path}: no such file or folder")
    if layout is not None and layout not in LAYOUTS:
        raise SettingsError(f"unknown layout {layout!r}; choose one of {', '.join(LAYOUTS)}")
    for name in LAYOUTS if layout is None else (layout,):
        try:
            if name == "slides":
                source: TileSource | None = open_slides(
                    path, tiling or {}, tiling_of_the_model or {}
                )
            else:
                source = LAYOUTS[name](path)
        except UnreadableTileError as error:
            # A table in an archive, say: without it there is no data set.
            raise InputError(f"{error}; get {path.name} again") from error
        except DAMAGE as error:
            raise InputError(
                f"{path}: damaged, it cannot be read as {name} ({type(error).__name__}: {error})"
            ) from error
        if source is not None and source.tiles:
            _check_names(path, source)
            if tiling and not isinstance(source, SlideSource):
                stated = ", ".join(f"--{option.replace('_', '-')}" for option in sorted(tiling))
                raise SettingsError(
                    f"{path}: it holds tiles ({source.layout}), which are taken as they are; leave out "
                    f"{stated}, which says how slides are cut"
                )
            return source
    wanted = f" as {layout}" if layout else ""
    raise InputError(
        f"{path}: no tiles found{wanted}; expected class folders of images (optionally inside train, "
        "valid and test), a labels.csv or manifest.csv with a tile column, images, or a zip, HDF5, NPZ "
        f"or parquet file of tiles, or slides{_hint(path)}"
    )


def _check_names(path: Path, source: TileSource) -> None:
    """Refuse names of files that no table or message can hold.

    Raises:
        InputError: Naming the first.
    """
    for tile in source.tiles:
        if not tile.id.isascii() and not _is_text(tile.id):
            shown = os.fsencode(tile.id).decode(errors="backslashreplace")
            raise InputError(
                f"{path}: the name '{shown}' is not UTF-8; rename the file or its folder"
            )


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _hint(path: Path) -> str:
    """The files in a folder that might be meant."""
    if not path.is_dir():
        return ""
    found = sorted(file.name for pattern in CONTAINERS for file in path.glob(pattern))
    return f"; it holds {', '.join(found[:3])}: name the file itself" if found else ""
