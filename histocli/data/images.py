"""Decode one image file to uint8 RGB, or say why not."""

import io
import os
import stat
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from histocli.data.jpeg import check_scans, decode_jpeg
from histocli.errors import ExhaustedError, UnreadableTileError

FORMATS: Mapping[str, str] = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".bmp": "BMP",
    ".webp": "WEBP",
}
# A tile is small; 64 megapixels is a 192 MB array, and more is a slide or a bomb.
MAXIMUM_PIXELS = 64_000_000
# Of an image file, in an archive or not: those 192 MB are stored without compression, and a little more.
MAXIMUM_FILE_BYTES = 256_000_000
# Of a file: most tiles are read by one call.
BYTES_AT_ONCE = 2**16
# Opening a pipe that nobody writes to would wait for ever.
READING = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)


def is_image_name(name: str) -> bool:
    """Whether the extension is one that we read."""
    # Without pathlib, which is slow for a quarter of a million names.
    stem, _, extension = name.rpartition(".")
    return bool(stem) and not stem.endswith("/") and f".{extension.lower()}" in FORMATS


def decode_image(content: bytes, name: Path | str) -> NDArray[np.uint8]:
    """Decode to uint8 RGB, shape ``(H, W, 3)``.

    What is not 8-bit RGB is converted: transparent pixels are composed onto white (glass); grey, black
    and white, and palette images are expanded; CMYK and YCbCr are converted without a profile; 16 bits
    (grey in PNG and TIFF, color in PNG) are reduced to 8 by dropping the low byte. Of several pages the
    first is read. Orientation tags and color profiles are not applied: they would change pixels that the
    label was given for. Color with 16 bits in TIFF, and floating point, are refused.

    Raises:
        UnreadableTileError: Whatever is wrong with the content.
        ExhaustedError: If it is not the content: there is no memory left.
    """
    try:
        check_scans(content)
        pixels = decode_jpeg(content, _check_size)
        if pixels is not None:
            return pixels
        # A warning of Pillow (a bomb, broken metadata) means the file is not to be trusted.
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content), formats=sorted(set(FORMATS.values()))) as image:
                _check_size(image.width, image.height)
                image.load()
                return _to_rgb(image)
    except Exception as error:
        ExhaustedError.check(error)
        # OSError, ValueError, SyntaxError, struct.error …: each means the same to the user.
        raise UnreadableTileError(name, _reason(content, error)) from error


def read_image(path: Path) -> NDArray[np.uint8]:
    """Read and decode one file."""
    return decode_image(read_file(path), path)


def read_file(path: Path | str) -> bytes:
    """Bytes of a file.

    Raises:
        UnreadableTileError: If it cannot be read, is no regular file, or is larger than an image can be.
    """
    try:
        # Without a file object: for a tile that takes as long as reading it.
        descriptor = os.open(path, READING)
        try:
            _check_file(os.fstat(descriptor), path)
            parts = [os.read(descriptor, BYTES_AT_ONCE)]
            while len(parts[-1]) == BYTES_AT_ONCE:
                parts.append(os.read(descriptor, BYTES_AT_ONCE))
        finally:
            os.close(descriptor)
        return parts[0] if len(parts) == 1 else b"".join(parts)
    except OSError as error:
        ExhaustedError.check(error)
        raise UnreadableTileError(path, error.strerror or str(error)) from error


def _check_file(found: os.stat_result, path: Path | str) -> None:
    """Refuse pipes and devices, which never end, and what is too large.

    Raises:
        UnreadableTileError: Saying which.
    """
    if not stat.S_ISREG(found.st_mode):
        raise UnreadableTileError(path, "is no regular file")
    if found.st_size > MAXIMUM_FILE_BYTES:
        raise UnreadableTileError(path, f"it has {found.st_size:,} bytes, more than a tile has")


def _check_size(width: int, height: int) -> None:
    if width * height > MAXIMUM_PIXELS:
        raise ValueError(f"{width}x{height} pixels are no tile; cut it into tiles")


def _to_rgb(image: Image.Image) -> NDArray[np.uint8]:
    convert = _CONVERSIONS.get(image.mode)
    if convert is None:
        raise ValueError(f"pixel type {image.mode!r} is not supported; save it as 8-bit RGB")
    return convert(image)


def _plain(image: Image.Image) -> NDArray[np.uint8]:
    return np.asarray(image.convert("RGB"))


def _on_white(image: Image.Image) -> NDArray[np.uint8]:
    transparent = image.convert("RGBA")
    white = Image.new("RGBA", image.size, "white")
    return np.asarray(Image.alpha_composite(white, transparent).convert("RGB"))


def _palette(image: Image.Image) -> NDArray[np.uint8]:
    return _on_white(image) if "transparency" in image.info else _plain(image)


def _sixteen_bits(image: Image.Image) -> NDArray[np.uint8]:
    grey = (np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8)
    return np.repeat(grey[:, :, None], 3, axis=2)


_CONVERSIONS: Mapping[str, Callable[[Image.Image], NDArray[np.uint8]]] = {
    "RGB": np.asarray,
    "L": _plain,
    "1": _plain,
    "CMYK": _plain,
    "YCbCr": _plain,
    "RGBX": _plain,
    "P": _palette,
    "PA": _on_white,
    "LA": _on_white,
    "RGBA": _on_white,
    "I;16": _sixteen_bits,
    "I;16L": _sixteen_bits,
    "I;16B": _sixteen_bits,
}


def _reason(content: bytes, error: Exception) -> str:
    if not content:
        return "the file is empty"
    text = str(error).replace("<_io.BytesIO object at 0x", "file ").split("\n")[0]
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        return (
            "larger than the limit against decompression bombs; if it is a slide, cut it into tiles"
        )
    if "cannot identify image file" in text:
        return "not an image that we read (PNG, JPEG, TIFF, BMP, WebP; 8 bits, or 16 bits grey)"
    return text or type(error).__name__
