"""Data-set layouts: each file recognises one and gives its ``TileSource``.

To add one, write a file with a function like these and add a line to ``LAYOUTS``.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from histocli.data.layouts.class_folders import open_class_folders
from histocli.data.layouts.images import open_images
from histocli.data.layouts.manifest import open_manifest
from histocli.data.tiles import TileSource
from histocli.errors import InputError, SettingsError

Layout = Callable[[Path], TileSource | None]

# In the order of asking: the first that recognises the path opens it.
LAYOUTS: Mapping[str, Layout] = {
    "class-folders": open_class_folders,
    "manifest": open_manifest,
    "images": open_images,
}


def open_source(path: Path, layout: str | None = None) -> TileSource:
    """Open whatever data set lies at ``path``.

    Args:
        path: A folder, a table or an image.
        layout: A key of ``LAYOUTS`` to force one.

    Raises:
        InputError: If nothing there can be read.
        SettingsError: If the layout is unknown.
    """
    if not path.exists():
        raise InputError(f"{path}: no such file or folder")
    if layout is not None and layout not in LAYOUTS:
        raise SettingsError(f"unknown layout {layout!r}; choose one of {', '.join(LAYOUTS)}")
    candidates = LAYOUTS.values() if layout is None else (LAYOUTS[layout],)
    for candidate in candidates:
        source = candidate(path)
        if source is not None and source.tiles:
            return source
    wanted = f" as {layout}" if layout else ""
    raise InputError(
        f"{path}: no tiles found{wanted}; expected class folders of images (optionally inside train, "
        "valid and test), a labels.csv or manifest.csv with a tile column, or images"
    )
