"""Files that would be read for ever, or fill the memory: skipped or refused before that."""

import io
import os
import sys
from pathlib import Path

import pytest
from PIL import Image

from histocli.data import images, jpeg
from histocli.data.images import decode_image, read_file
from histocli.data.layouts import open_source
from histocli.data.loading import SkippedTile, load_batches
from histocli.errors import InputError, UnreadableTileError
from tests.data.layouts.examples import draw, encode, write_file

needs_posix = pytest.mark.skipif(os.name == "nt", reason="needs pipes and links")


@needs_posix
def test_pipes_and_devices_are_skipped(tmp_path: Path) -> None:
    write_file(tmp_path / "tumor" / "a.png", encode(draw(1)[0]))
    os.mkfifo(tmp_path / "tumor" / "b.png")
    (tmp_path / "tumor" / "c.png").symlink_to("/dev/zero")
    source = open_source(tmp_path)
    skipped: list[SkippedTile] = []
    batches = list(load_batches(source, range(3), 2, skipped, workers=1))
    assert sum(len(batch.indices) for batch in batches) == 1
    assert skipped == [
        SkippedTile("tumor/b.png", "is no regular file"),
        SkippedTile("tumor/c.png", "is no regular file"),
    ]


def test_a_file_larger_than_an_image_can_be_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "MAXIMUM_FILE_BYTES", 1000)
    (tmp_path / "whole.png").write_bytes(bytes(1000))
    assert read_file(tmp_path / "whole.png") == bytes(1000)
    (tmp_path / "large.png").write_bytes(bytes(1001))
    with pytest.raises(UnreadableTileError, match=r"large\.png: it has 1,001 bytes, more than"):
        read_file(tmp_path / "large.png")


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_jpeg_of_too_many_scans_is_not_decoded(mode: str) -> None:
    buffer = io.BytesIO()
    Image.fromarray(draw(1, side=32)[0]).convert(mode).save(buffer, "JPEG", progressive=True)
    content = buffer.getvalue()
    assert 2 < content.count(jpeg.SCAN) < jpeg.MAXIMUM_SCANS
    assert decode_image(content, "x").shape == (32, 32, 3)
    start = content.rindex(jpeg.SCAN)
    last, end = content[start:-2], content[-2:]
    bomb = content[:start] + last * (jpeg.MAXIMUM_SCANS + 1) + end
    with pytest.raises(
        UnreadableTileError, match=r"x: it has 1\d\d scans, as a decompression bomb"
    ):
        decode_image(bomb, "x")


@pytest.mark.skipif(sys.platform != "linux", reason="needs names that are any bytes")
@pytest.mark.parametrize("name", [b"a/\xff.png", b"\xff/a.png"])
def test_a_name_that_is_no_text_is_refused_as_bytes(tmp_path: Path, name: bytes) -> None:
    write_file(tmp_path / "b" / "\u00e9\u65e5.png", encode(draw(1)[0]))
    assert len(open_source(tmp_path).tiles) == 1
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name))
    write_file(path, encode(draw(1)[0]))
    with pytest.raises(InputError, match=r"the name '.*\\xff.*' is not UTF-8; rename") as raised:
        open_source(tmp_path)
    str(raised.value).encode()
