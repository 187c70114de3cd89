import io
import struct
import zlib
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


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_transparency_is_composed_onto_white_in_every_format(kind: str) -> None:
    alpha = np.full((*PIXELS.shape[:2], 1), 51, np.uint8)
    image = Image.fromarray(np.concatenate([PIXELS, alpha], axis=2))
    buffer = io.BytesIO()
    # WebP changes the color of what is transparent unless it is told not to.
    options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    image.save(buffer, kind, **options)
    expected = PIXELS * 0.2 + 255 * 0.8
    np.testing.assert_allclose(decode_image(buffer.getvalue(), "t"), expected, atol=1)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP"])
def test_palettes_and_grey_are_expanded_in_every_format(kind: str) -> None:
    grey = Image.fromarray(PIXELS[:, :, 0])
    expected = np.repeat(PIXELS[:, :, :1], 3, axis=2)
    np.testing.assert_array_equal(decode_image(encoded(grey, kind), "t"), expected)
    palette = Image.fromarray(PIXELS).quantize(64)
    colors = np.asarray(palette.convert("RGB"))
    np.testing.assert_array_equal(decode_image(encoded(palette, kind), "t"), colors)


def test_a_transparent_color_of_a_palette_is_glass() -> None:
    palette = Image.new("P", (2, 1))
    palette.putpalette([200, 0, 0, 0, 0, 0])
    palette.putpixel((1, 0), 1)
    buffer = io.BytesIO()
    palette.save(buffer, "PNG", transparency=1)
    assert decode_image(buffer.getvalue(), "t")[0].tolist() == [[200, 0, 0], [255, 255, 255]]


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits_of_grey_lose_their_low_byte_in_every_format(kind: str) -> None:
    deep = np.arange(0, 65536, 257, dtype=np.uint16).reshape(16, 16)
    found = decode_image(encoded(Image.fromarray(deep), kind), "t")
    np.testing.assert_array_equal(found, np.repeat((deep >> 8)[:, :, None], 3, axis=2))


@pytest.mark.parametrize(("kind", "suffix"), [("JPEG", ".jpeg"), ("WEBP", ".webp")])
def test_lossy_formats_give_nearly_their_pixels(kind: str, suffix: str, tmp_path: Path) -> None:
    smooth = Image.fromarray(PIXELS[:4, :3]).resize((96, 96), Image.Resampling.BICUBIC)
    path = tmp_path / f"tile{suffix.upper()}"
    smooth.save(path, kind, quality=95)
    found = read_image(path)
    assert found.shape == (96, 96, 3)
    assert np.abs(found.astype(int) - np.asarray(smooth)).mean() < 4


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


@pytest.mark.parametrize("side", [10_000, 14_000])
def test_beyond_pillows_own_limit_the_message_is_as_clear(side: int) -> None:
    huge = encoded(Image.new("1", (side, side)), "PNG")
    with pytest.raises(UnreadableTileError, match="decompression bombs"):
        decode_image(huge, "x")


@pytest.mark.parametrize(("color_type", "channels"), [(0, 1), (2, 3), (4, 2), (6, 4)])
def test_sixteen_bits_in_png_lose_their_low_byte(color_type: int, channels: int) -> None:
    content = png_of_sixteen_bits(color_type, [0xFEDC] * channels)
    # Nearly opaque, where there is an alpha channel: 0xFE over white.
    expected = 0xFE if channels in (1, 3) else round((0xFE * 0xFE + 255 * 1) / 255)
    assert decode_image(content, "x")[0, 0].tolist() == pytest.approx([expected] * 3, abs=1)


def png_of_sixteen_bits(color_type: int, values: list[int]) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    header = struct.pack(">IIBBBBB", 1, 1, 16, color_type, 0, 0, 0)
    line = b"\0" + struct.pack(f">{len(values)}H", *values)
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(line)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def test_of_several_pages_the_first_is_read_and_no_tag_turns_it(tmp_path: Path) -> None:
    pages = [Image.fromarray(PIXELS), Image.new("RGB", (24, 32))]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif"), PIXELS)
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.fromarray(PIXELS).save(tmp_path / "a.png", exif=turned)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), PIXELS)


def test_gray_with_alpha_and_cmyk_become_rgb() -> None:
    gray = Image.new("LA", (1, 1), (0, 0))
    assert decode_image(encoded(gray, "PNG"), "t")[0, 0].tolist() == [255, 255, 255]
    ink = Image.new("CMYK", (1, 1), (255, 0, 0, 0))
    assert decode_image(encoded(ink, "TIFF"), "t")[0, 0].tolist() == [0, 255, 255]


def test_a_slide_or_a_bomb_is_refused_from_its_header() -> None:
    huge = encoded(Image.new("1", (10_000, 7_000)), "PNG")
    with pytest.raises(UnreadableTileError, match="cut it into tiles"):
        decode_image(huge, "x")
