"""Zip archives: each folder layout inside, and whatever could harm refused by archive and member."""

import stat
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from histocli.data.layouts import archive as archive_module
from histocli.data.layouts import open_source
from histocli.data.layouts.archive import Archive
from histocli.errors import InputError, UnreadableTileError
from tests.data.layouts.examples import draw, encode, write_zip

IMAGE = encode(draw(1)[0])


def test_class_folders_table_and_plain_images_inside(tmp_path: Path) -> None:
    write_zip(tmp_path / "classes.zip", {"tumor/a.png": IMAGE, "normal/b.png": IMAGE})
    assert [tile.label for tile in open_source(tmp_path / "classes.zip").tiles] == [
        "normal",
        "tumor",
    ]
    table = b"tile,label,patient,split\na.png,tumor,p1,val\nb.png,normal,p2,test\n"
    write_zip(
        tmp_path / "table.zip", {"set/a.png": IMAGE, "set/b.png": IMAGE, "set/manifest.csv": table}
    )
    found = open_source(tmp_path / "table.zip").tiles
    assert [(t.id, t.label, t.group, t.split) for t in found] == [
        ("table.zip#set/a.png", "tumor", "p1", "valid"),
        ("table.zip#set/b.png", "normal", "p2", "test"),
    ]
    write_zip(tmp_path / "plain.zip", {"a.png": IMAGE, "b.jpeg": IMAGE})
    plain = open_source(tmp_path / "plain.zip")
    assert [(tile.label, tile.split) for tile in plain.tiles] == [(None, None)] * 2


def test_a_split_is_no_wrapper(tmp_path: Path) -> None:
    write_zip(tmp_path / "a.zip", {"train/tumor/a.png": IMAGE, "train/normal/b.png": IMAGE})
    tiles = open_source(tmp_path / "a.zip").tiles
    assert {tile.split for tile in tiles} == {"train"}
    assert {tile.label for tile in tiles} == {"normal", "tumor"}


@pytest.mark.parametrize(
    "kind", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
)
def test_every_compression_is_read(tmp_path: Path, kind: int) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", kind) as archive:
        archive.writestr("tumor/a.png", IMAGE)
        archive.writestr("normal/b.png", IMAGE)
    source = open_source(tmp_path / "a.zip")
    np.testing.assert_array_equal(source.read(0), draw(1)[0])
    assert source.read_bytes(1) == IMAGE


@pytest.mark.parametrize(
    ("member", "reason"),
    [
        ("../escape.png", "leads out of the archive"),
        ("a/../../escape.png", "leads out of the archive"),
        ("/etc/tile.png", "its path is absolute"),
        ("C:/tile.png", "its path is absolute"),
        ("a\\..\\tile.png", "backslash"),
    ],
)
def test_paths_that_lead_elsewhere_are_refused(tmp_path: Path, member: str, reason: str) -> None:
    write_zip(tmp_path / "evil.zip", {"tumor/a.png": IMAGE, member: IMAGE})
    with pytest.raises(InputError, match=r"evil\.zip: refused because of its member") as caught:
        open_source(tmp_path / "evil.zip")
    assert reason in str(caught.value)
    assert repr(member) in str(caught.value)


def test_links_are_refused(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("tumor/link.png")
    link.create_system = 3
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(InputError, match=r"evil\.zip: .*'tumor/link\.png': it is a link"):
        open_source(tmp_path / "evil.zip")


def test_a_member_named_twice_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as archive:
        archive.writestr("a.png", IMAGE)
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("a.png", IMAGE)
    with pytest.raises(InputError, match=r"'a\.png': it is there twice"):
        open_source(tmp_path / "evil.zip")


def test_an_encrypted_member_is_refused(tmp_path: Path) -> None:
    write_zip(tmp_path / "evil.zip", {"a.png": IMAGE})
    content = bytearray((tmp_path / "evil.zip").read_bytes())
    flags = content.index(b"PK\x01\x02") + 8
    content[flags] |= 1
    (tmp_path / "evil.zip").write_bytes(content)
    with pytest.raises(InputError, match=r"'a\.png': it is encrypted"):
        open_source(tmp_path / "evil.zip")


def test_a_bomb_is_refused_by_its_declared_ratio(tmp_path: Path) -> None:
    write_zip(tmp_path / "bomb.zip", {"good.png": IMAGE, "bomb.bmp": bytes(20_000_000)})
    with pytest.raises(InputError, match=r"bomb\.zip: .*'bomb\.bmp': it unpacks to [\d,]+ times"):
        open_source(tmp_path / "bomb.zip")


def test_a_bomb_is_refused_by_its_declared_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive_module, "MAXIMUM_FILE_BYTES", len(IMAGE) - 1)
    write_zip(tmp_path / "bomb.zip", {"bomb.png": IMAGE})
    with pytest.raises(InputError, match=r"'bomb\.png': it unpacks to .* more than a tile has"):
        open_source(tmp_path / "bomb.zip")


def test_a_member_that_lies_about_its_size_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "liar.zip"
    write_zip(path, {"a.bmp": bytes(5_000_000)})
    content = bytearray(path.read_bytes())
    # Declared in the central directory: a tile of 1,000 bytes.
    struct.pack_into("<I", content, content.index(b"PK\x01\x02") + 24, 1000)
    path.write_bytes(content)
    archive = Archive(path)
    with pytest.raises(UnreadableTileError, match=r"liar\.zip#a\.bmp: damaged in the archive"):
        archive.read("a.bmp")


def test_overlapping_members_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "overlap.zip"
    write_zip(path, {f"{i}.png": encode(draw(1, i)[0]) for i in range(3)})
    content = bytearray(path.read_bytes())
    start = content.index(b"PK\x01\x02")
    struct.pack_into("<I", content, start + 20, len(content))
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"overlap\.zip: refused, its members overlap"):
        open_source(path)


def test_what_is_not_read_may_be_large(tmp_path: Path) -> None:
    write_zip(tmp_path / "a.zip", {"a.png": IMAGE, "weights.bin": bytes(20_000_000)})
    assert len(open_source(tmp_path / "a.zip").tiles) == 1


def test_a_damaged_member_is_skipped_by_name(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    write_zip(path, {"a.png": IMAGE, "b.png": b"", "c.png": b"no image"})
    content = bytearray(path.read_bytes())
    content[60:70] = bytes(10)
    path.write_bytes(content)
    source = open_source(path)
    for index, message in enumerate(["damaged in the archive", "is empty", "not an image"]):
        with pytest.raises(UnreadableTileError, match=r"a\.zip#[abc]\.png: .*" + message):
            source.read(index)


def test_a_tile_that_the_table_names_and_the_archive_lacks(tmp_path: Path) -> None:
    table = b"tile,label\na.png,tumor\nb.png,normal\n"
    write_zip(tmp_path / "a.zip", {"a.png": IMAGE, "labels.csv": table})
    source = open_source(tmp_path / "a.zip")
    assert source.read(0).shape == (12, 12, 3)
    with pytest.raises(UnreadableTileError, match=r"a\.zip#b\.png: the archive has no such"):
        source.read(1)


def test_a_manifest_may_name_members_of_an_archive(tmp_path: Path) -> None:
    write_zip(tmp_path / "a.zip", {"x/a.png": IMAGE, "x/b.png": IMAGE})
    (tmp_path / "filtered.csv").write_text("tile,label\na.zip#x/b.png,tumor\n")
    source = open_source(tmp_path / "filtered.csv")
    assert [(tile.id, tile.label) for tile in source.tiles] == [("a.zip#x/b.png", "tumor")]
    np.testing.assert_array_equal(source.read(0), draw(1)[0])


def test_an_archive_without_images_says_what_was_expected(tmp_path: Path) -> None:
    write_zip(tmp_path / "a.zip", {"notes.txt": b"none"})
    with pytest.raises(InputError, match=r"a\.zip: no tiles found"):
        open_source(tmp_path / "a.zip")
    with pytest.raises(InputError, match=r"it holds a\.zip: name the file itself"):
        open_source(tmp_path)
