import io
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from histocli.data.phantom import PHANTOM_SCANNERS, phantom_tile
from histocli.data.png import encode_png


@settings(max_examples=60, deadline=None)
@given(height=st.integers(1, 40), width=st.integers(1, 40), seed=st.integers(0, 2**32 - 1))
def test_pillow_reads_back_every_pixel(height: int, width: int, seed: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)
    image = Image.open(io.BytesIO(encode_png(pixels)))
    assert (image.format, image.mode) == ("PNG", "RGB")
    np.testing.assert_array_equal(np.asarray(image), pixels)


def test_grey_images() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 9)).astype(np.uint8)
    image = Image.open(io.BytesIO(encode_png(pixels)))
    assert image.mode == "L"
    np.testing.assert_array_equal(np.asarray(image), pixels)


@pytest.mark.parametrize("step", [slice(None, None, -1), slice(None, None, 2)])
def test_any_memory_layout(step: slice) -> None:
    pixels = phantom_tile("tumor", PHANTOM_SCANNERS["alpha"], np.random.default_rng(0)).pixels[step]
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(encode_png(pixels)))), pixels)


def test_every_chunk_has_its_checksum_and_the_size_is_near_pillows() -> None:
    pixels = phantom_tile("tumor", PHANTOM_SCANNERS["alpha"], np.random.default_rng(0)).pixels
    content, position = encode_png(pixels), 8
    kinds = []
    while position < len(content):
        length = int.from_bytes(content[position : position + 4], "big")
        checked = content[position + 4 : position + 8 + length]
        stated = content[position + 8 + length : position + 12 + length]
        assert zlib.crc32(checked) == int.from_bytes(stated, "big")
        kinds.append(checked[:4])
        position += 12 + length
    assert kinds == [b"IHDR", b"IDAT", b"IEND"]
    with io.BytesIO() as buffer:
        Image.fromarray(pixels).save(buffer, "PNG", compress_level=1)
        assert len(content) < 1.15 * buffer.tell()
