import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from histocli.data.images import decode_image, read_image
from histocli.errors import UnreadableTileError

PIXELS = np.random.default_rng(0).integers(0, 256, (32, 24, 3)).astype(np.uint8)


def encoded(image: Image.Image, kind: str) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP"])
def test_lossless_formats_give_their_pixels(kind: str) -> None:
    content = encoded(Image.fromarray(PIXELS), kind)
    np.testing.assert_array_equal(decode_image(content, "tile"), PIXELS)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP", "JPEG", "WEBP"])
def test_no_truncated_image_is_accepted(kind: str) -> None:
    content = encoded(Image.fromarray(PIXELS), kind)
    for length in (0, 1, len(content) // 4, len(content) // 2, len(content) * 3 // 4):
        with pytest.raises(UnreadableTileError, match="tile"):
            decode_image(content[:length], "tile")


def test_transparent_pixels_are_glass() -> None:
    image = Image.new("RGBA", (2, 1), (200, 0, 0, 255))
    image.putpixel((1, 0), (0, 0, 0, 0))
    assert decode_image(encoded(image, "PNG"), "t")[0].tolist() == [[200, 0, 0], [255, 255, 255]]


def test_grey_palette_and_sixteen_bits_become_rgb() -> None:
    grey = Image.new("L", (1, 1), 77)
    assert decode_image(encoded(grey, "PNG"), "t")[0, 0].tolist() == [77, 77, 77]
    palette = Image.new("RGB", (1, 1), (10, 20, 30)).convert("P", palette=Image.Palette.ADAPTIVE)
    assert decode_image(encoded(palette, "PNG"), "t")[0, 0].tolist() == [10, 20, 30]
    deep = Image.fromarray(np.array([[0x1234]], np.uint16))
    assert decode_image(encoded(deep, "TIFF"), "t")[0, 0].tolist() == [0x12] * 3


def test_reasons_say_what_is_wrong(tmp_path: Path) -> None:
    text = tmp_path / "note.png"
    text.write_text("no image")
    with pytest.raises(UnreadableTileError, match=r"note\.png: not an image"):
        read_image(text)
    with pytest.raises(UnreadableTileError, match="the file is empty"):
        decode_image(b"", "x")
    with pytest.raises(UnreadableTileError, match="No such file"):
        read_image(tmp_path / "absent.png")
    floating = Image.new("F", (2, 2))
    with pytest.raises(UnreadableTileError, match="pixel type 'F'"):
        decode_image(encoded(floating, "TIFF"), "x")


def test_a_slide_or_a_bomb_is_refused_from_its_header() -> None:
    huge = encoded(Image.new("1", (10_000, 7_000)), "PNG")
    with pytest.raises(UnreadableTileError, match="cut it into tiles"):
        decode_image(huge, "x")
