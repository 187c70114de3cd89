"""Unpack a gzip file once, beside it: what is in it has to be read at random."""

import gzip
import hashlib
import logging
import shutil
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO

from histocli.atomic_files import atomic_path
from histocli.data.layouts.bombs import check_ratio
from histocli.errors import InputError

SUFFIX = ".gz"
PIECE_BYTES = 1 << 20
# A file of labels is unpacked without a word, one of images is not.
SAID_FROM_BYTES = 10_000_000


def unpacked(path: Path) -> Path:
    """``NAME.h5`` beside ``NAME.h5.gz``, made if it is not there; any other file as it is.

    Raises:
        InputError: If the file is damaged, or its folder cannot be written.
    """
    if path.suffix != SUFFIX:
        return path
    target = path.with_suffix("")
    if not target.is_file():
        if path.stat().st_size >= SAID_FROM_BYTES:
            # Said by way of logging, which prints it: seven gigabytes must not appear in silence.
            logging.getLogger(__name__).warning(
                "unpacking %s (%.2f GB) to %s, once; %s may be deleted afterwards",
                path,
                path.stat().st_size / 1e9,
                target,
                path.name,
            )
        unpack(path, target)
    return target


def unpack(path: Path, target: Path, check: Callable[[str], None] | None = None) -> None:
    """Unpack with flat memory; ``target`` is whole or absent.

    Args:
        path: A gzip file.
        target: What to write.
        check: Called with the MD5 of the content; what it raises keeps the file from being written.

    Raises:
        InputError: If the file is damaged or a bomb, or its folder cannot be written.
    """
    try:
        with gzip.open(path) as source, atomic_path(target) as temporary:
            with temporary.open("wb") as file:
                found = _copy(source, file, path)
            if check is not None:
                check(found)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputError(
            f"{path}: not a whole gzip file ({error}); it may be cut short, get it again"
        ) from error
    except PermissionError as error:
        raise _not_writable(path, target) from error
    except OSError as error:
        free = shutil.disk_usage(target.parent).free
        raise InputError(
            f"{target}: cannot be written ({error}; {free:,} bytes are free)"
        ) from error


def _not_writable(path: Path, target: Path) -> InputError:
    return InputError(
        f"{target.parent} cannot be written, and {path.name} has to be unpacked to be read: unpack it "
        f"elsewhere (gunzip -c {path} > FOLDER/{target.name}), with the files beside it, and name that"
    )


def _copy(source: gzip.GzipFile, target: IO[bytes], path: Path) -> str:
    """Copy piece by piece; the MD5 of what was copied."""
    digest = hashlib.md5(usedforsecurity=False)
    size, packed = 0, path.stat().st_size
    for piece in iter(lambda: source.read(PIECE_BYTES), b""):
        digest.update(piece)
        size += target.write(piece)
        check_ratio(path, size, packed)
    if not size:
        raise EOFError("there is nothing in it")
    return digest.hexdigest()
