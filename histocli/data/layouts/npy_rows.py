"""Tiles in an array of an NPZ file: mapped where it is stored, unpacked where it is compressed."""

import logging
import math
import shutil
import struct
import tokenize
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from histocli.atomic_files import atomic_path
from histocli.data.layouts.archive import READING_ERRORS
from histocli.data.layouts.bombs import check_ratio, check_rows
from histocli.data.layouts.rows import BlockCache, check_pixel_array, to_rgb
from histocli.errors import InputError

# A compressed array up to this size is unpacked into memory, a larger one into a file beside.
MAXIMUM_BYTES_IN_MEMORY = 1_000_000_000
PIECE_BYTES = 1 << 22
LOCAL_HEADER = struct.Struct("<26xHH")


@dataclass(frozen=True, slots=True)
class ArrayHeader:
    """What an array's header says.

    Attributes:
        offset: Where its values begin in the member.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    offset: int

    @property
    def bytes(self) -> int:
        """Size of the values."""
        # Not NumPy's product, which begins anew beyond 64 bits.
        return math.prod(self.shape) * self.dtype.itemsize


class NpyRows:
    """The rows of one array of images.

    Raises:
        InputError: If the file is damaged, or the array no tiles.
    """

    def __init__(self, path: Path, key: str) -> None:
        self.path, self.key = path, key
        with open_npz(path) as archive:
            self._header = read_header(archive, path, key)
            packed = stored_bytes(archive.getinfo(f"{key}.npy"), path)
        check_pixel_array(self._header.shape, self._header.dtype, f"{path}: {key}")
        check_rows(f"{path}: {key}", len(self), packed)
        # The whole array is the only block: it is mapped, or small enough for the memory.
        self._array: BlockCache[NDArray[np.uint8]] = BlockCache(1)

    def __reduce__(self) -> tuple[Any, ...]:
        return NpyRows, (self.path, self.key)

    def __len__(self) -> int:
        return self._header.shape[0]

    def read(self, row: int) -> NDArray[np.uint8]:
        """Pixels of one row."""
        return to_rgb(np.array(self._raw(row)))

    def read_bytes(self, row: int) -> bytes:
        """Raw pixels, height by width by channels."""
        return self._raw(row).tobytes()

    def _raw(self, row: int) -> NDArray[np.uint8]:
        if not 0 <= row < len(self):
            raise ValueError(f"{self.path}: there is no row {row}")
        pixels: NDArray[np.uint8] = self._array.get(0, self._load)[row]
        return pixels

    def _load(self, _number: int) -> NDArray[np.uint8]:
        with open_npz(self.path) as archive:
            member = archive.getinfo(f"{self.key}.npy")
            if member.compress_type == zipfile.ZIP_STORED:
                start = _data_start(self.path, member) + self._header.offset
                return self._map(self.path, start)
            if self._header.bytes <= MAXIMUM_BYTES_IN_MEMORY:
                return read_array(archive, self.path, self.key)
            beside = self.path.with_name(f"{self.path.stem}-unpacked") / f"{self.key}.npy"
            if not _is_unpacked(beside, self.path, self._header):
                _unpack(archive, member, self.path, beside)
            return self._map(beside, self._header.offset)

    def _map(self, path: Path, start: int) -> NDArray[np.uint8]:
        return np.memmap(path, np.uint8, "r", start, self._header.shape)


def open_npz(path: Path) -> zipfile.ZipFile:
    """Open an NPZ file, which is a zip of arrays.

    Raises:
        InputError: If it is no whole one.
    """
    try:
        return zipfile.ZipFile(path)
    except READING_ERRORS as error:
        raise InputError(
            f"{path}: not a whole NPZ file ({error}); it may be cut short, get it again"
        ) from error


def keys_of(archive: zipfile.ZipFile) -> list[str]:
    """Names of the arrays."""
    return [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]


def read_header(archive: zipfile.ZipFile, path: Path, key: str) -> ArrayHeader:
    """Shape and type of one array; objects, which could run code, are refused."""
    try:
        with archive.open(f"{key}.npy") as file:
            version = np.lib.format.read_magic(file)
            read = (
                np.lib.format.read_array_header_1_0
                if version == (1, 0)
                else np.lib.format.read_array_header_2_0
            )
            shape, fortran, dtype = read(file)
            offset = file.tell()
    except (*READING_ERRORS, KeyError, tokenize.TokenError) as error:
        # NumPy reads a header that is no Python literal once more, word by word.
        raise InputError(f"{path}: the array {key} is damaged: {error}") from error
    if dtype.hasobject:
        raise InputError(f"{path}: the array {key} holds Python objects, which are not read")
    if fortran and len(shape) > 1:
        raise InputError(f"{path}: the array {key} is in Fortran order; save it in C order")
    header = ArrayHeader(shape, dtype, offset)
    member = archive.getinfo(f"{key}.npy")
    check_ratio(f"{path}: the array {key}", member.file_size, stored_bytes(member, path))
    if member.file_size != header.offset + header.bytes:
        raise InputError(f"{path}: the array {key} is not as long as its header says")
    return header


def stored_bytes(member: zipfile.ZipInfo, path: Path) -> int:
    """What a member takes up, whatever the index says: not more than the file has."""
    return min(member.compress_size, path.stat().st_size)


def read_array(archive: zipfile.ZipFile, path: Path, key: str) -> NDArray[Any]:
    """One array, in memory.

    Raises:
        InputError: If it is damaged.
    """
    header = read_header(archive, path, key)
    try:
        with archive.open(f"{key}.npy") as file:
            file.read(header.offset)
            content = file.read(header.bytes)
    except READING_ERRORS as error:
        raise InputError(f"{path}: the array {key} is damaged: {error}") from error
    return np.frombuffer(content, header.dtype).reshape(header.shape)


def _data_start(path: Path, member: zipfile.ZipInfo) -> int:
    """Where a stored member's bytes begin: after its local header, whose length the index lacks."""
    with path.open("rb") as file:
        file.seek(member.header_offset)
        name_length, extra_length = LOCAL_HEADER.unpack(file.read(LOCAL_HEADER.size))
    return int(member.header_offset + LOCAL_HEADER.size + name_length + extra_length)


def _is_unpacked(beside: Path, path: Path, header: ArrayHeader) -> bool:
    if not beside.is_file():
        return False
    found = beside.stat()
    return found.st_size == header.offset + header.bytes and found.st_mtime >= path.stat().st_mtime


def _unpack(archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path, beside: Path) -> None:
    # Said by way of logging, which prints it: gigabytes must not appear in silence.
    logging.getLogger(__name__).warning(
        "unpacking %s of %s (%.1f GB) to %s, once",
        member.filename,
        path,
        member.file_size / 1e9,
        beside,
    )
    try:
        with (
            archive.open(member) as source,
            atomic_path(beside) as temporary,
            temporary.open("wb") as file,
        ):
            shutil.copyfileobj(source, file, PIECE_BYTES)
    except PermissionError as error:
        raise InputError(
            f"{beside.parent} cannot be written, and {path.name} is too large to be unpacked into memory"
        ) from error
    except READING_ERRORS as error:
        raise InputError(f"{path}: {member.filename} is damaged: {error}") from error
