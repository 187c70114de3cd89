"""An HDF5 file of anybody's: opened, its data sets found, their storage checked, labels read."""

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from histocli.atomic_files import parse_json
from histocli.data.layouts.bombs import check_ratio, check_rows
from histocli.errors import InputError

# Public sets have chunks of kilobytes.
MAXIMUM_CHUNK_BYTES = 1_000_000_000
# A prime far above the number of chunks that are kept: with fewer slots they displace each other.
CHUNK_SLOTS = 100_003
# The attribute of labels that holds their names, as a JSON list.
CLASSES = "classes"


def open_hdf5(path: Path, chunk_cache_bytes: int = 1_000_000) -> Any:
    """Open an HDF5 file to read.

    Raises:
        InputError: If it is damaged, or no HDF5 file.
    """
    import h5py  # a quarter of a second: only for those who bring HDF5

    try:
        return h5py.File(path, "r", rdcc_nbytes=chunk_cache_bytes, rdcc_nslots=CHUNK_SLOTS)
    except OSError as error:
        reason = "the file is empty" if path.stat().st_size == 0 else str(error)
        raise InputError(
            f"{path}: not a whole HDF5 file ({reason}); it may be cut short, get it again"
        ) from error


def dataset(file: Any, path: Path, key: str) -> Any:
    """One data set of an open file.

    Raises:
        InputError: If it is not there, naming those that are, lies in another file, or the file's index
            is damaged.
    """
    import h5py

    try:
        there = sorted(file)
        # Looked at before it is followed: it may lead to any file of this machine.
        if key in there and not isinstance(file.get(key, getlink=True), h5py.HardLink):
            raise InputError(f"{path}: {key} is a link; put the data set itself under that name")
        found = file.get(key)
        elsewhere = isinstance(found, h5py.Dataset) and (found.external or found.is_virtual)
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        raise InputError(f"{path}: its index is damaged ({error}); get it again") from error
    if not isinstance(found, h5py.Dataset):
        listed = ", ".join(there) or "none"
        raise InputError(f"{path}: it has no data set {key!r}; there is: {listed}")
    if elsewhere:
        raise InputError(
            f"{path}: {key} is stored in other files, which are not read; save it as one file (h5repack)"
        )
    return found


def has_dataset(path: Path, key: str) -> bool:
    """Whether a file has something of that name; links are not followed.

    Raises:
        InputError: If it is damaged.
    """
    with open_hdf5(path) as file:
        try:
            return key in sorted(file)
        except (OSError, RuntimeError, ValueError, KeyError) as error:
            raise InputError(f"{path}: its index is damaged ({error}); get it again") from error


def read_labels(path: Path, key: str, expected: int) -> NDArray[np.int64]:
    """Labels, whatever singleton axes they have.

    Raises:
        InputError: If there are not as many as tiles, or they are not whole numbers.
    """
    with open_hdf5(path) as file:
        data = dataset(file, path, key)
        if data.size != expected or data.shape[:1] != (expected,):
            raise InputError(
                f"{path}: {key} has shape {data.shape}, but there are {expected} tiles; "
                "images and labels do not belong together"
            )
        _check_amount(data, path, key)
        try:
            values = np.asarray(data[()]).reshape(-1)
        except OSError as error:
            raise InputError(f"{path}: {key} is damaged: {error}") from error
    if values.dtype.kind not in "iub":
        raise InputError(f"{path}: {key} holds {values.dtype}; labels are whole numbers")
    return values.astype(np.int64)


def read_classes(path: Path, key: str) -> dict[str, str]:
    """Names of the labels, by number, where `histo normalize --to h5` wrote them; else none.

    Raises:
        InputError: If they are damaged.
    """
    with open_hdf5(path) as file:
        written = dataset(file, path, key).attrs.get(CLASSES)
    if written is None:
        return {}
    try:
        return {str(number): str(name) for number, name in enumerate(parse_json(written))}
    except (TypeError, ValueError) as error:
        raise InputError(f"{path}: the attribute {CLASSES} of {key} is damaged: {error}") from error


def check_storage(data: Any, path: Path, key: str) -> None:
    """Refuse tiles that are stored so that reading them fills the memory.

    Raises:
        InputError: If they are.
    """
    _check_chunks(data, f"{path}: {key}")
    _check_amount(data, path, key)


def _check_chunks(data: Any, where: str) -> None:
    """Refuse chunks that fill the memory: HDF5 unpacks a whole one for a single row.

    Raises:
        InputError: If one does.
    """
    size = math.prod(data.chunks) if data.chunks else 0
    if size > MAXIMUM_CHUNK_BYTES:
        raise InputError(
            f"{where} is stored in chunks of {size / 1e9:.1f} GB, each of which has to be unpacked for a "
            "single tile; save it in smaller ones (h5repack -l x:CHUNK=64x96x96x3)"
        )


def _check_amount(data: Any, path: Path, key: str) -> None:
    """Refuse a data set that says it has far more than is stored of it.

    Raises:
        InputError: If it does.
    """
    # Neither is to be believed alone: parts may share their bytes, and storage may lie beyond the end.
    stored = min(data.id.get_storage_size(), path.stat().st_size)
    rows = int(data.shape[0]) if data.shape else 1
    check_rows(f"{path}: {key}", rows, stored)
    # Not NumPy's product, which begins anew beyond 64 bits.
    check_ratio(f"{path}: {key}", math.prod(data.shape) * data.dtype.itemsize, stored)
