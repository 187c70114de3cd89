"""Arrays as members of an NPZ file: the same arrays are the same bytes, and none is written twice."""

import io
import struct
import zipfile
from collections.abc import Iterable, Sequence
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

# Where the first tile of a file lies: a page, so that the array can be mapped, and all headers fit.
FIRST_TILE_AT = 4096
# Of a member's own header, beside its name: the fixed part, and sizes in 64 bits.
MEMBER_HEADER_BYTES = 30 + 20


class Overlay:
    """A file to write in, parts of which are there already and are passed over.

    Args:
        file: Open for writing, not truncated.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.there = False

    def write(self, content: bytes) -> int:
        """Write, or pass over what is there."""
        if not self.there:
            return self._file.write(content)
        size = memoryview(content).nbytes
        self._file.seek(size, io.SEEK_CUR)
        return size

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """See ``io.IOBase``."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """See ``io.IOBase``."""
        return self._file.tell()

    def flush(self) -> None:
        """See ``io.IOBase``."""
        self._file.flush()


def add_tiles(
    archive: zipfile.ZipFile,
    key: str,
    shape: tuple[int, ...],
    blocks: Iterable[NDArray[np.uint8]],
    over: Overlay | None = None,
) -> None:
    """Add uint8 tiles as one array of ``shape``, some at a time.

    Args:
        archive: Open for writing.
        key: The array's name.
        shape: Of all.
        blocks: The tiles, in their order.
        over: What the archive is written to, if the tiles lie there already, from ``FIRST_TILE_AT`` on.
    """
    with archive.open(_member(key), "w", force_zip64=True) as file:
        file.write(_header(key, shape))
        if over is not None:
            over.there = True
        for block in blocks:
            file.write(block.reshape(-1).data)
        if over is not None:
            over.there = False


def add_text(archive: zipfile.ZipFile, key: str, values: Sequence[str]) -> None:
    """Add an array of strings."""
    with io.BytesIO() as buffer:
        np.lib.format.write_array(buffer, np.array(values), allow_pickle=False)
        with archive.open(_member(key), "w") as file:
            file.write(buffer.getvalue())


def _header(key: str, shape: tuple[int, ...]) -> bytes:
    """NumPy's header, as long as it takes for the first member's array to begin at ``FIRST_TILE_AT``."""
    described: dict[str, Any] = {"descr": "|u1", "fortran_order": False, "shape": shape}
    with io.BytesIO() as buffer:
        np.lib.format.write_array_header_1_0(buffer, described)
        header = buffer.getvalue()
    start = len(np.lib.format.magic(1, 0))
    text = header[start + 2 :].rstrip()
    size = FIRST_TILE_AT - MEMBER_HEADER_BYTES - len(_name(key).encode()) - start - 2
    return header[:start] + struct.pack("<H", size) + text.ljust(size - 1) + b"\n"


def _member(key: str) -> zipfile.ZipInfo:
    """A member without a time of its own: the same tiles are the same bytes."""
    member = zipfile.ZipInfo(_name(key))
    member.external_attr = 0o644 << 16
    return member


def _name(key: str) -> str:
    return f"{key}.npy"
