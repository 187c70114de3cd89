"""Tiles decoded once into files that are mapped into memory: ``--cache disk``.

A folder of the cache is called after what is in it: names and contents of the tiles, and the versions that
decoded them. It appears whole, under its name, or not at all.
"""

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

import numpy as np
import PIL
from numpy.typing import NDArray

from histocli import __version__
from histocli.atomic_files import is_full, parse_json, remove_abandoned, temporary_name
from histocli.data.loading import SkippedTile
from histocli.data.tile_arrays import Size, TileArrays, TilePlaces, place_tiles
from histocli.data.tiles import SPLIT_ALIASES, TileBatch, TileSource, content_hash
from histocli.errors import HistoError, SettingsError

INDEX, PLACES = "index.json", "places.npy"
# Of the free space that the cache would take, this much more must be there.
SPARE = 1.02


def default_cache_folder() -> Path:
    """The user's folder for caches."""
    stated = os.environ.get("XDG_CACHE_HOME")
    return (Path(stated) if stated else Path.home() / ".cache") / "histocli" / "tiles"


def cache_key(source: TileSource, indices: Sequence[int]) -> str:
    """Name of the folder of some tiles: the same wherever the same tiles are read in the same order."""
    digest = hashlib.sha256(content_hash(source, indices).encode())
    for index in indices:
        first, _, rest = source.tiles[index].id.partition("/")
        split_left_out = rest if rest and first.lower() in SPLIT_ALIASES else f"{first}/{rest}"
        digest.update(f"{split_left_out}\n".encode())
    digest.update(f"histocli {__version__}, Pillow {PIL.__version__}".encode())
    return digest.hexdigest()[:32]


def open_cached(
    folder: Path, source: TileSource, indices: Sequence[int]
) -> TileArrays[NDArray[np.uint8]] | None:
    """The tiles in one folder of the cache; None if it is not there or not whole."""
    try:
        index: dict[str, Any] = parse_json((folder / INDEX).read_text(encoding="utf-8"))
        counts = {(height, width): count for height, width, count in index["sizes"]}
        array, row = np.load(folder / PLACES, allow_pickle=False)
        reasons = {int(place): str(reason) for place, reason in index["unreadable"].items()}
        arrays = [_map(folder, size, count) for size, count in counts.items()]
    except (OSError, EOFError, ValueError, KeyError, TypeError, AttributeError):
        return None
    if len(array) != len(indices):
        return None
    places = TilePlaces(counts, array, row, reasons)
    return TileArrays(source, indices, places, arrays, _take)


def write_cached(
    folder: Path,
    source: TileSource,
    indices: Sequence[int],
    batches: Iterable[TileBatch],
    skipped: Sequence[SkippedTile],
) -> None:
    """Decode tiles into one folder of the cache.

    Args:
        folder: Its final name, from ``cache_key``.
        source: Where the tiles are.
        indices: Which of them.
        batches: Their pixels, each tile once.
        skipped: What the batches leave out.

    Raises:
        HistoError: If the disk is full.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    remove_abandoned(folder.parent, folder.name)
    temporary = temporary_name(folder)
    temporary.mkdir()
    try:
        with ExitStack() as files:
            _write_into(temporary, source, indices, batches, skipped, files)
        if folder.exists():
            # Not whole, or another process was as fast.
            shutil.rmtree(folder)
        temporary.rename(folder)
    except OSError as error:
        if is_full(error):
            raise HistoError(
                f"{folder.parent}: the disk is full; name another folder by --cache-folder"
            ) from error
        if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
            raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def check_space(folder: Path, needed: int) -> None:
    """Refuse to fill the disk.

    Raises:
        SettingsError: If it has not so many bytes left.
    """
    there = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(there).free
    if needed * SPARE > free:
        raise SettingsError(
            f"{folder}: the decoded tiles take {needed / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free; "
            "name another folder by --cache-folder, or choose --cache none"
        )


def _write_into(
    temporary: Path,
    source: TileSource,
    indices: Sequence[int],
    batches: Iterable[TileBatch],
    skipped: Sequence[SkippedTile],
    files: ExitStack,
) -> None:
    opened: dict[Size, IO[bytes]] = {}

    def write(size: Size, pixels: NDArray[np.uint8]) -> None:
        if size not in opened:
            opened[size] = files.enter_context((temporary / _name(size)).open("wb"))
        opened[size].write(pixels.data)

    places = place_tiles(source, indices, batches, skipped, write)
    np.save(temporary / PLACES, np.stack([places.array, places.row]))
    content = {
        "sizes": [[*size, count] for size, count in places.counts.items()],
        "unreadable": dict(places.reasons),
        "source": str(source.root),
    }
    (temporary / INDEX).write_text(json.dumps(content), encoding="utf-8")
    for file in opened.values():
        file.flush()
        os.fsync(file.fileno())


def _name(size: Size) -> str:
    return f"tiles-{size[0]}x{size[1]}.u8"


def _map(folder: Path, size: Size, count: int) -> NDArray[np.uint8]:
    path, shape = folder / _name(size), (count, 3, *size)
    if path.stat().st_size != int(np.prod(shape)):
        raise ValueError(f"{path} is cut short")
    return np.memmap(path, np.uint8, "r", shape=shape)


def _take(array: NDArray[np.uint8], rows: NDArray[np.int64]) -> NDArray[np.uint8]:
    return np.asarray(array[rows])
