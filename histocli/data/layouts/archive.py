"""A zip archive, read in place and never unpacked; what could harm is refused when it is opened."""

import os
import stat
import threading
import zipfile
import zlib
from pathlib import Path
from typing import Any

from histocli.data.images import MAXIMUM_FILE_BYTES, is_image_name
from histocli.data.layouts.label_table import TABLE_SUFFIXES
from histocli.errors import ExhaustedError, InputError, UnreadableTileError

# Tissue deflates to a half, plain glass to a hundredth; a bomb does far better. Small members are
# spared: a blank tile of 27 kB may well deflate to nearly nothing.
MAXIMUM_RATIO = 200
RATIO_COUNTS_FROM_BYTES = 10_000_000
READING_ERRORS = (
    *(OSError, EOFError, RuntimeError, ValueError),
    *(NotImplementedError, zipfile.BadZipFile, zlib.error),
)


class Archive:
    """The images and tables in a zip file.

    Reading is safe from many threads; each process opens the file for itself.

    Raises:
        InputError: If it is no whole zip, or a member is a link, lies outside, is named twice, is
            encrypted or would unpack to more than a tile can be.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._process = os.getpid()
        self._zip = _open(path)
        self._members = _checked(path, self._zip.infolist())

    def __reduce__(self) -> tuple[Any, ...]:
        return Archive, (self.path,)

    def __contains__(self, name: str) -> bool:
        return name in self._members

    def names(self) -> list[str]:
        """Names of the members, sorted; hidden ones and those of macOS are passed over."""
        return sorted(
            name
            for name in self._members
            if not any(part.startswith((".", "__")) for part in name.split("/"))
        )

    def images(self) -> list[str]:
        """Names of the images."""
        return [name for name in self.names() if is_image_name(name)]

    def read(self, name: str) -> bytes:
        """Content of one member.

        Raises:
            UnreadableTileError: If it is not there or damaged.
        """
        shown = f"{self.path}#{name}"
        member = self._members.get(name)
        if member is None:
            raise UnreadableTileError(shown, "the archive has no such member")
        try:
            with self._open().open(member) as file:
                # No more than was declared and checked, whatever the member unpacks to.
                return file.read(member.file_size + 1)
        except READING_ERRORS as error:
            ExhaustedError.check(error)
            raise UnreadableTileError(shown, f"damaged in the archive: {error}") from error

    def _open(self) -> zipfile.ZipFile:
        with self._lock:
            if self._process != os.getpid():
                self._zip, self._process = _open(self.path), os.getpid()
            return self._zip


def _open(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except READING_ERRORS as error:
        raise InputError(
            f"{path}: not a whole zip archive ({error}); it may be cut short, get it again"
        ) from error


def _checked(path: Path, members: list[zipfile.ZipInfo]) -> dict[str, zipfile.ZipInfo]:
    found: dict[str, zipfile.ZipInfo] = {}
    for member in members:
        reason = _reason_to_refuse(member)
        if member.filename in found:
            reason = "it is there twice"
        if reason:
            raise InputError(f"{path}: refused because of its member {member.filename!r}: {reason}")
        if not member.is_dir():
            found[member.filename] = member
    # Members that share their bytes are how a small archive holds a huge bomb.
    if sum(member.compress_size for member in members) > path.stat().st_size:
        raise InputError(f"{path}: refused, its members overlap; unpack it where that does no harm")
    return found


def _reason_to_refuse(member: zipfile.ZipInfo) -> str | None:
    name = member.filename
    # orig_filename: zipfile cuts a name at a NUL byte.
    original = member.orig_filename
    checks = {
        "its name holds a backslash or a NUL": "\0" in original or "\\" in original,
        "its path is absolute": name.startswith("/") or ":" in name.split("/", 1)[0],
        "its path leads out of the archive": ".." in name.split("/"),
        "it is a link; put the file itself into the archive": stat.S_ISLNK(
            member.external_attr >> 16
        ),
        "it is encrypted; unpack the archive with its password": bool(member.flag_bits & 0x1),
    }
    reason = next((reason for reason, applies in checks.items() if applies), None)
    is_read = is_image_name(name) or name.lower().endswith(TABLE_SUFFIXES)
    return _reason_of_size(member) if reason is None and is_read else reason


def _reason_of_size(member: zipfile.ZipInfo) -> str | None:
    size, packed = member.file_size, max(1, member.compress_size)
    if size > MAXIMUM_FILE_BYTES:
        return f"it unpacks to {size:,} bytes, more than a tile has"
    if size > RATIO_COUNTS_FROM_BYTES and size / packed > MAXIMUM_RATIO:
        return f"it unpacks to {size / packed:,.0f} times its size, as a decompression bomb does"
    return None
