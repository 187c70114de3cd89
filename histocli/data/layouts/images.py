"""One image, or a folder of images without classes."""

from pathlib import Path

from histocli.data.images import is_image_name
from histocli.data.layouts.image_files import ImageFileSource, find_images
from histocli.data.tiles import Tile


def open_images(path: Path) -> ImageFileSource | None:
    """Recognise an image file, or any folder that holds images."""
    if path.is_file():
        if not is_image_name(path.name):
            return None
        return ImageFileSource(path, "images", [Tile(id=path.name)], path.parent)
    tiles = [Tile(id=name) for name in sorted(find_images(path))]
    return ImageFileSource(path, "images", tiles, path)
