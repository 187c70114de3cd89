"""How many threads work at once, and on what."""

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from histocli.data.layouts import open_source
from histocli.data.shards import Shard
from histocli.data.stores import open_store
from histocli.data.writing import Journal, journal_lines
from histocli.preparation.stream import StainWork, run_stream
from histocli.stain import MacenkoNormalizer
from histocli.stain.batches import NormalizedTiles
from histocli.stain.cores import available_cores

TILES = 8


class Watched:
    """A normaliser that meets others in its work, or counts them."""

    backend = "cpu"

    def __init__(self, meet: Callable[[], object] = lambda: None) -> None:
        self._meet = meet
        self._lock = threading.Lock()
        self.inside = self.most = 0
        self.cores: set[int] = set()
        self.sizes: list[int] = []

    def normalize(self, tiles: Any, *_: object) -> NormalizedTiles:
        with self._lock:
            self.inside += 1
            self.most = max(self.most, self.inside)
            self.cores.add(available_cores())
            self.sizes.append(len(tiles))
        self._meet()
        with self._lock:
            self.inside -= 1
        return MacenkoNormalizer().normalize(tiles)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    for number in range(TILES):
        Image.new("RGB", (8, 8), (number, 0, 0)).save(tmp_path / "in" / f"{number}.png")
    return tmp_path


def stream(folder: Path, normalizer: Watched, workers: int, **options: Any) -> Mapping[str, Any]:
    """Run it on all tiles; the journal's entries by tile."""
    source = open_source(folder / "in")
    part = Shard().part(len(source.tiles))
    work = StainWork(normalizer, None, {}, "normalized", **options)  # type: ignore[arg-type] # a double
    done: list[int] = []
    with Journal(folder / "journal.jsonl", keep=False) as journal:
        run_stream(
            source,
            part,
            work,
            journal,
            open_store("npz", source, folder / "out", part),
            batch_size=64,
            workers=workers,
            progress=done.append,
        )
    entries = {entry["tile"]: entry for entry, _ in journal_lines(folder / "journal.jsonl")}
    assert sum(done) == len(entries) == TILES
    return entries


def test_few_tiles_are_shared_among_all_threads_and_so_are_the_cores(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("histocli.preparation.stream.available_cores", lambda: 6)
    # No batch goes on before four are there.
    normalizer = Watched(threading.Barrier(4, timeout=30).wait)
    entries = stream(folder, normalizer, 4)
    assert list(entries) == [f"{number}.png" for number in range(TILES)]
    assert (normalizer.most, normalizer.cores) == (4, {1})
    assert normalizer.sizes == [1] * TILES


def test_a_device_gets_one_batch_at_a_time(folder: Path) -> None:
    normalizer = Watched(lambda: threading.Event().wait(0.01))
    entries = stream(folder, normalizer, 4, place=lambda pixels: pixels.copy())
    assert normalizer.most == 1
    assert all("sha256" in entry for entry in entries.values())


def test_what_cannot_be_read_stands_in_the_journal(folder: Path) -> None:
    (folder / "in" / "3.png").write_bytes(b"broken")
    entries = stream(folder, Watched(), 1)
    assert "not an image" in entries["3.png"]["skipped"]
    assert sum("sha256" in entry for entry in entries.values()) == TILES - 1
