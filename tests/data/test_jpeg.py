"""JPEG by the fast way, against Pillow."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from histocli.data import jpeg
from histocli.data.images import MAXIMUM_PIXELS, decode_image
from histocli.errors import UnreadableTileError

PIXELS = np.asarray(
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (9, 7, 3), np.uint8)).resize(
        (61, 97), Image.Resampling.BICUBIC
    )
)


def content_of(pixels: np.ndarray, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", **options)
    return buffer.getvalue()


def anything_goes(width: int, height: int) -> None:
    assert width * height <= MAXIMUM_PIXELS


@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("quality", [30, 75, 98])
@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("size", [(97, 61), (96, 96), (1, 1), (17, 8)])
def test_the_pixels_are_pillows(
    subsampling: int, quality: int, progressive: bool, size: tuple[int, int]
) -> None:
    options = {"subsampling": subsampling, "quality": quality, "progressive": progressive}
    content = content_of(PIXELS[: size[0], : size[1]], **options)
    found = jpeg.decode_jpeg(content, anything_goes)
    assert found is not None
    with Image.open(io.BytesIO(content)) as image:
        np.testing.assert_array_equal(found, np.asarray(image))


def test_gray_and_cmyk_and_other_formats_are_left_to_pillow() -> None:
    assert jpeg.decode_jpeg(content_of(PIXELS[:, :, 0]), anything_goes) is None
    cmyk = io.BytesIO()
    Image.fromarray(PIXELS).convert("CMYK").save(cmyk, "JPEG")
    assert jpeg.decode_jpeg(cmyk.getvalue(), anything_goes) is None
    assert jpeg.decode_jpeg(b"\x89PNG\r\n", anything_goes) is None


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_a_truncated_file_is_refused(share: float) -> None:
    content = content_of(PIXELS)
    cut = content[: int(len(content) * share)]
    assert jpeg.decode_jpeg(cut, anything_goes) is None
    with pytest.raises(UnreadableTileError, match=r"tile\.jpg"):
        decode_image(cut, "tile.jpg")


def test_without_the_package_pillow_reads_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    content = content_of(PIXELS)
    fast = decode_image(content, "tile.jpg")
    monkeypatch.setattr(jpeg, "simplejpeg", None)
    np.testing.assert_array_equal(decode_image(content, "tile.jpg"), fast)


def test_real_tiles_have_pillows_pixels(pcam: Path) -> None:
    for path in sorted(pcam.rglob("*.jpg"))[:100]:
        with Image.open(path) as image:
            np.testing.assert_array_equal(decode_image(path.read_bytes(), path), np.asarray(image))
