"""A hash of pixels: tells identical tiles, whatever files they are stored in."""

import hashlib

import numpy as np
from numpy.typing import NDArray

DIGEST_BYTES = 16


def pixel_digest(pixels: NDArray[np.uint8]) -> bytes:
    """Hash of a tile's decoded pixels, ``(3, H, W)``, and its shape: the same for PNG and TIFF."""
    content = hashlib.sha256(repr(pixels.shape).encode())
    content.update(np.ascontiguousarray(pixels).data)
    return content.digest()[:DIGEST_BYTES]
