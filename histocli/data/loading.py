"""Read tiles ahead of their use: decoding threads, bounded look-ahead, batches of one size."""

import csv
import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from histocli.atomic_files import write_csv
from histocli.data.isolation import ISOLATION
from histocli.data.tiles import TileBatch, TileSource, in_chunks
from histocli.errors import InputError, SkippedInputsError, UnreadableTileError

SKIPPED_NAME = "skipped.csv"
BATCHES_AHEAD = 3
# Tiles of one task of a decoding thread: handing over one at a time costs as much as decoding it.
TILES_PER_TASK = 16
Pixels = NDArray[np.uint8]
ReadTile = tuple[int, Pixels | UnreadableTileError]
# A thread that does all the work on its own tiles has this much of them at hand: near its cache.
BYTES_AT_HAND = 2**23


@dataclass(frozen=True, slots=True)
class SkippedTile:
    """A tile that could not be read."""

    id: str
    reason: str


def default_workers() -> int:
    """Decoding threads when the user states none: one a core, at most eight."""
    return max(1, min(8, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 4))


def load_batches(
    source: TileSource,
    indices: Sequence[int],
    batch_size: int,
    skipped: list[SkippedTile],
    *,
    workers: int | None = None,
) -> Iterator[TileBatch]:
    """Decode tiles in threads and yield them in batches, in the order of ``indices``.

    A chunk of ``batch_size`` whose tiles differ in size is yielded as one batch per size. The batches
    are the same for any number of workers.

    Args:
        source: Where the tiles are.
        indices: Which of them, in which order.
        batch_size: Tiles per batch.
        skipped: Receives the tiles that could not be read.
        workers: Decoding threads; one a core when None.
    """
    chunks = in_chunks(indices, batch_size)
    with ThreadPoolExecutor(workers or default_workers(), "decode") as pool:
        pending: deque[list[Future[list[ReadTile]]]] = deque()
        try:
            for chunk in chunks:
                tasks = in_chunks(chunk, TILES_PER_TASK)
                pending.append([pool.submit(_read_some, source, task) for task in tasks])
                if len(pending) > BATCHES_AHEAD:
                    yield from _collect(source, pending.popleft(), skipped)
            while pending:
                yield from _collect(source, pending.popleft(), skipped)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def read_batches(
    source: TileSource,
    indices: Sequence[int],
    skipped: list[SkippedTile],
    bytes_at_hand: int = BYTES_AT_HAND,
) -> Iterator[TileBatch]:
    """Decode tiles in this thread and yield them in batches of one size each.

    Args:
        source: Where the tiles are.
        indices: Which of them, in which order.
        skipped: Receives the tiles that could not be read.
        bytes_at_hand: A batch is yielded when its tiles hold so much.
    """
    by_size: dict[tuple[int, ...], tuple[list[Pixels], list[int]]] = {}
    for index in indices:
        try:
            pixels = ISOLATION.read(source, index)
        except UnreadableTileError as error:
            skipped.append(SkippedTile(source.tiles[index].id, error.reason))
            continue
        tiles, places = by_size.setdefault(pixels.shape, ([], []))
        tiles.append(pixels)
        places.append(index)
        if len(tiles) * pixels.nbytes >= bytes_at_hand:
            del by_size[pixels.shape]
            yield TileBatch(_channels_first(tiles), np.array(places, np.int64))
    for tiles, places in by_size.values():
        yield TileBatch(_channels_first(tiles), np.array(places, np.int64))


def write_skipped(folder: Path, skipped: Sequence[SkippedTile]) -> Path | None:
    """Write ``skipped.csv`` where there is something to list; remove one of an earlier run."""
    path = folder / SKIPPED_NAME
    if not skipped:
        path.unlink(missing_ok=True)
        return None
    rows = sorted({(tile.id, tile.reason) for tile in skipped})
    write_csv(path, ["tile", "reason"], rows)
    return path


def read_skipped(folder: Path) -> list[SkippedTile]:
    """Read what ``write_skipped`` wrote; nothing where nothing was skipped.

    Raises:
        InputError: If it is damaged.
    """
    path = folder / SKIPPED_NAME
    if not path.is_file():
        return []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return [SkippedTile(row["tile"], row["reason"]) for row in csv.DictReader(file)]
    except (OSError, KeyError, ValueError, csv.Error) as error:
        raise InputError(f"{path}: damaged ({error!r}); remove it, and run again") from error


def check_skipped(skipped: Sequence[SkippedTile], total: int, *, strict: bool) -> None:
    """Decide what skipped tiles mean for the run.

    Raises:
        InputError: If nothing at all could be read.
        SkippedInputsError: With ``strict``, if anything was skipped.
    """
    if skipped and len(skipped) >= total:
        raise InputError(
            f"none of the {total} tiles could be read; the first: {skipped[0].id}: {skipped[0].reason}"
        )
    if skipped and strict:
        raise SkippedInputsError(
            f"{len(skipped)} of {total} tiles could not be read (see skipped.csv); the first: "
            f"{skipped[0].id}: {skipped[0].reason}"
        )


def _channels_first(tiles: Sequence[Pixels]) -> Pixels:
    """Tiles ``(H, W, 3)`` as ``(N, 3, H, W)``, contiguous."""
    height, width, channels = tiles[0].shape
    out = np.empty((len(tiles), channels, height, width), np.uint8)
    stacked = np.stack(tiles)
    for channel in range(channels):
        out[:, channel] = stacked[..., channel]
    return out


def _read_some(source: TileSource, indices: Sequence[int]) -> list[ReadTile]:
    """Each tile's pixels, channels first, or why there are none."""
    found: list[ReadTile] = []
    for index in indices:
        try:
            # Turned here, where threads share the work.
            pixels = ISOLATION.read(source, index)
            found.append((index, np.ascontiguousarray(pixels.transpose(2, 0, 1))))
        except UnreadableTileError as error:
            found.append((index, error))
    return found


def _collect(
    source: TileSource, chunk: Sequence[Future[list[ReadTile]]], skipped: list[SkippedTile]
) -> Iterator[TileBatch]:
    by_size: dict[tuple[int, ...], tuple[list[Pixels], list[int]]] = {}
    for index, pixels in (tile for task in chunk for tile in task.result()):
        if isinstance(pixels, UnreadableTileError):
            skipped.append(SkippedTile(source.tiles[index].id, pixels.reason))
            continue
        same_size = by_size.setdefault(pixels.shape, ([], []))
        same_size[0].append(pixels)
        same_size[1].append(index)
    for tiles, indices in by_size.values():
        yield TileBatch(np.stack(tiles), np.array(indices, np.int64))
