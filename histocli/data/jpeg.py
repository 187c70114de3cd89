"""The fast way through the commonest kind of tile: JPEG as scanners and data sets have it."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

try:
    import simplejpeg
except ImportError:  # no wheel for this machine: Pillow reads everything
    simplejpeg = None

START = b"\xff\xd8\xff"
# Begins a scan; compressed data cannot hold these two bytes.
SCAN = b"\xff\xda"
# Progressive files have about ten; each costs as much time as the whole picture, and may be a few bytes.
MAXIMUM_SCANS = 100


def check_scans(content: bytes) -> None:
    """Refuse a JPEG file of so many scans that decoding it takes minutes.

    Raises:
        ValueError: If it is one.
    """
    if content.startswith(START) and (scans := content.count(SCAN)) > MAXIMUM_SCANS:
        raise ValueError(f"it has {scans} scans, as a decompression bomb does")


def decode_jpeg(content: bytes, check_size: Callable[[int, int], None]) -> NDArray[np.uint8] | None:
    """Decode a color JPEG to uint8 RGB by libjpeg-turbo alone: Pillow's pixels in a third of its time.

    Args:
        content: Of the file.
        check_size: Told width and height before anything is decoded; raises if they are too large.

    Returns:
        Shape ``(H, W, 3)``; None for anything else or anything odd, on which Pillow then decides.
    """
    if simplejpeg is None or not content.startswith(START):
        return None
    try:
        height, width, color, _ = simplejpeg.decode_jpeg_header(content)
    except ValueError:
        return None
    if color != "YCbCr":
        return None
    check_size(width, height)
    try:
        pixels: NDArray[np.uint8] = simplejpeg.decode_jpeg(
            content, "RGB", fastdct=False, fastupsample=False, strict=True
        )
    except ValueError:
        return None
    return pixels
