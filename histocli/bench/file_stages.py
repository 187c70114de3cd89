"""From files to pixels and back."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from histocli.bench.material import Material
from histocli.bench.stage import Stage
from histocli.data.loading import TILES_PER_TASK, load_batches
from histocli.data.png import encode_png
from histocli.data.tiles import in_chunks
from histocli.plurals import counted


def file_stages(material: Material, folder: Path, *, batch_size: int, workers: int) -> list[Stage]:
    """Decode, encode and write, in as many threads as the commands would.

    Args:
        material: The tiles.
        folder: On the disk to write to.
        batch_size: Tiles per batch.
        workers: Threads.
    """
    images = [
        np.ascontiguousarray(tile)
        for batch in material.batches
        for tile in batch.transpose(0, 2, 3, 1)
    ]
    encoded = [encode_png(image) for image in images]
    threads = counted(workers, "thread")

    def decode() -> None:
        for _ in load_batches(material.source, material.indices, batch_size, [], workers=workers):
            pass

    def encode() -> None:
        _in_threads(_encode_some, images, workers)

    def write() -> None:
        numbered = [(folder / f"{number}.png", content) for number, content in enumerate(encoded)]
        _in_threads(_write_some, numbered, workers)

    count = material.tiles
    return [
        Stage("decode", threads, ("normalize", "predict"), count, decode),
        Stage("encode PNG", threads, ("normalize",), count, encode),
        Stage("write files", threads, ("normalize",), count, write),
    ]


def _in_threads(work: Callable[[Sequence[Any]], None], items: Sequence[Any], workers: int) -> None:
    with ThreadPoolExecutor(workers) as pool:
        # The list raises what a thread raised.
        list(pool.map(work, in_chunks(items, TILES_PER_TASK)))


def _encode_some(images: Sequence[NDArray[np.uint8]]) -> None:
    for image in images:
        encode_png(image)


def _write_some(files: Sequence[tuple[Path, bytes]]) -> None:
    for path, content in files:
        path.write_bytes(content)
