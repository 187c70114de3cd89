"""A manifest of checksums: what a data set is made of, and later, what became of it."""

import csv
import hashlib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from histocli.atomic_files import atomic_path, write_csv_rows
from histocli.data.isolation import ISOLATION
from histocli.data.layouts.kaggle import tile_key
from histocli.data.loading import default_workers
from histocli.data.tiles import Inspectable, TileSource, in_chunks
from histocli.errors import ExhaustedError, InputError, UnreadableTileError

SUFFIX = "-index.csv"
HEADER = ("kind", "name", "bytes", "sha256", "pixels_sha1")
FILE, TILE = "file", "tile"
AT_ONCE = 1024


@dataclass(frozen=True, slots=True)
class Entry:
    """One file, or one tile.

    Attributes:
        kind: ``file`` for what holds many tiles, and for tables; ``tile``.
        name: Relative to the data set; the tile's id.
        bytes: Size as stored; None if it cannot be read.
        sha256: Of the bytes as stored.
        pixels_sha1: Of the decoded pixels, height by width by RGB: Kaggle's id of the tile.
    """

    kind: str
    name: str
    bytes: int | None
    sha256: str
    pixels_sha1: str


@dataclass
class Changes:
    """How a data set differs from its index.

    Attributes:
        changed: The bytes are others, the pixels too (or they were not indexed).
        recoded: The bytes are others, the pixels the same.
        missing: Indexed, but no longer there or no longer readable.
        added: There, but not indexed.
        same: How many are as they were.
    """

    changed: list[str] = field(default_factory=list)
    recoded: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    added: list[str] = field(default_factory=list)
    same: int = 0

    def __bool__(self) -> bool:
        return bool(self.changed or self.recoded or self.missing or self.added)


def index_entries(
    source: TileSource,
    *,
    pixels: bool = True,
    workers: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> Iterator[Entry]:
    """Read a data set and give its files, then its tiles in their order.

    Args:
        source: The data set.
        pixels: Decode the tiles too.
        workers: Threads.
        progress: Called with the number of tiles read.
    """
    folder = source.root if source.root.is_dir() else source.root.parent
    for file in source.files if isinstance(source, Inspectable) else ():
        yield _file_entry(file, folder)
    with ThreadPoolExecutor(workers or default_workers(), "hash") as pool:
        for chunk in in_chunks(range(len(source.tiles)), AT_ONCE):
            yield from pool.map(lambda index: _tile_entry(source, index, pixels=pixels), chunk)
            if progress is not None:
                progress(len(chunk))


def write_index(path: Path, entries: Iterator[Entry]) -> tuple[int, int]:
    """Write the manifest atomically; the number of tiles, and of those that cannot be read."""
    tiles = unreadable = 0

    def rows() -> Iterator[tuple[object, ...]]:
        nonlocal tiles, unreadable
        for entry in entries:
            tiles += entry.kind == TILE
            unreadable += entry.kind == TILE and not entry.sha256
            yield entry.kind, entry.name, entry.bytes, entry.sha256, entry.pixels_sha1

    with atomic_path(path) as temporary, temporary.open("w", newline="") as file:
        write_csv_rows(file, [HEADER])
        write_csv_rows(file, rows())
    return tiles, unreadable


def read_index(path: Path) -> dict[tuple[str, str], Entry]:
    """Entries by kind and name.

    Raises:
        InputError: If the file is absent, or no index.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            if tuple(reader.fieldnames or ()) != HEADER:
                raise InputError(f"{path}: no index: it needs the columns {', '.join(HEADER)}")
            return {(row["kind"], row["name"]): _entry(row) for row in reader}
    except FileNotFoundError:
        raise InputError(f"{path}: no such index; write it with `histo data index`") from None
    except (OSError, UnicodeDecodeError, ValueError, TypeError, csv.Error) as error:
        raise InputError(f"{path}: the index is damaged: {error}") from error


def compare(index: Mapping[tuple[str, str], Entry], entries: Iterator[Entry]) -> Changes:
    """What changed since the index was written."""
    changes = Changes()
    seen = set()
    for entry in entries:
        key = (entry.kind, entry.name)
        seen.add(key)
        before = index.get(key)
        if before is None:
            changes.added.append(entry.name)
        elif before.sha256 == entry.sha256:
            changes.same += 1
        elif not entry.sha256:
            changes.missing.append(entry.name)
        elif entry.pixels_sha1 and before.pixels_sha1 == entry.pixels_sha1:
            changes.recoded.append(entry.name)
        else:
            changes.changed.append(entry.name)
    changes.missing += [entry.name for key, entry in index.items() if key not in seen]
    return changes


def checked_kaggle_ids(
    source: TileSource, entries: Iterator[Entry], misnamed: list[str]
) -> Iterator[Entry]:
    """Pass entries on; ``misnamed`` receives Kaggle's tiles whose id is not the SHA-1 of their pixels."""
    for entry in entries:
        named = entry.kind == TILE and source.layout == "kaggle"
        if named and entry.pixels_sha1 not in ("", tile_key(entry.name)):
            misnamed.append(entry.name)
        yield entry


def _file_entry(path: Path, folder: Path) -> Entry:
    inside = path.is_relative_to(folder)
    name = path.relative_to(folder).as_posix() if inside else f"../{path.name}"
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Entry(FILE, name, path.stat().st_size, digest, "")


def _tile_entry(source: TileSource, index: int, *, pixels: bool) -> Entry:
    name = source.tiles[index].id
    try:
        content = ISOLATION.read_bytes(source, index)
    except (UnreadableTileError, OSError) as error:
        ExhaustedError.check(error)
        return Entry(TILE, name, None, "", "")
    digest = hashlib.sha256(content).hexdigest()
    return Entry(TILE, name, len(content), digest, _pixels_sha1(source, index) if pixels else "")


def _pixels_sha1(source: TileSource, index: int) -> str:
    try:
        decoded = ISOLATION.read(source, index)
    except UnreadableTileError:
        return ""
    # Kaggle chose SHA-1; nothing here is secret.
    return hashlib.sha1(decoded.tobytes(), usedforsecurity=False).hexdigest()


def _entry(row: Mapping[str, str]) -> Entry:
    size = int(row["bytes"]) if row["bytes"] else None
    return Entry(row["kind"], row["name"], size, row["sha256"], row["pixels_sha1"])
