"""Tiles read apart: the same pixels, the same errors, and no death of this process."""

import multiprocessing
import signal
import time
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import pytest
from shard_tasks import Crashing

from histocli.data.isolation import ISOLATION, has_crashed
from histocli.data.layouts import open_source
from histocli.data.loading import SkippedTile, load_batches
from histocli.errors import ExhaustedError, UnreadableTileError
from tests.data.layouts.examples import class_folders


def test_pixels_and_errors_are_those_of_the_source(tmp_path: Path) -> None:
    example = class_folders(tmp_path)
    example.main.write_bytes(b"")
    source = open_source(tmp_path)
    cut = example.main.relative_to(tmp_path).as_posix()
    with ISOLATION.switched(True):
        for index, tile in enumerate(source.tiles):
            if tile.id == cut:
                with pytest.raises(UnreadableTileError, match="the file is empty") as raised:
                    ISOLATION.read(source, index)
                assert raised.value.path.endswith(cut)
            else:
                np.testing.assert_array_equal(
                    ISOLATION.read(source, index), example.tiles[tile.id].pixels
                )
                assert ISOLATION.read_bytes(source, index) == (tmp_path / tile.id).read_bytes()


def test_a_crash_costs_one_tile_and_the_reader_is_replaced(tmp_path: Path) -> None:
    class_folders(tmp_path)
    source = Crashing(open_source(tmp_path), at=1)
    skipped: list[SkippedTile] = []
    count = len(source.tiles)
    with ISOLATION.switched(True):
        batches = list(load_batches(source, range(count), 2, skipped, workers=1))
    assert sum(len(batch.indices) for batch in batches) == count - 1
    assert skipped == [SkippedTile(source.tiles[1].id, "its decoder crashed (SIGSEGV)")]


def test_the_readers_stay_for_the_next_pass_and_end_with_the_isolation(tmp_path: Path) -> None:
    class_folders(tmp_path)
    sources = [open_source(tmp_path), open_source(tmp_path)]

    def children() -> set[int | None]:
        return {child.pid for child in multiprocessing.active_children()}

    others = children()
    with ISOLATION.switched(True):
        for source in sources:
            list(load_batches(source, range(len(source.tiles)), 2, [], workers=1))
        first = children() - others
        for source in sources:
            list(load_batches(source, range(len(source.tiles)), 2, [], workers=1))
        assert children() - others == first
    assert len(first) == len(sources)
    deadline = time.monotonic() + 60
    while children() - others and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not children() - others


def test_an_answer_that_nobody_awaits_is_given_to_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    example = class_folders(tmp_path)
    source = open_source(tmp_path)
    with ISOLATION.switched(True):
        ISOLATION.read(source, 0)
        with monkeypatch.context() as patch:
            patch.setattr(Connection, "recv", interrupted)
            with pytest.raises(KeyboardInterrupt):
                ISOLATION.read(source, 0)
        np.testing.assert_array_equal(
            ISOLATION.read(source, 1), example.tiles[source.tiles[1].id].pixels
        )


def interrupted(_: Connection) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGTERM])
def test_a_reader_ended_from_outside_is_no_fault_of_its_tile(
    by: signal.Signals, tmp_path: Path
) -> None:
    example = class_folders(tmp_path / "data")
    whole = open_source(tmp_path / "data")
    once = Crashing(whole, at=1, by=by, once=tmp_path / "killed")
    always = Crashing(whole, at=1, by=by)
    with ISOLATION.switched(True):
        np.testing.assert_array_equal(
            ISOLATION.read(once, 1), example.tiles[whole.tiles[1].id].pixels
        )
        with pytest.raises(ExhaustedError, match="ended 2 times from outside"):
            ISOLATION.read(always, 1)


@pytest.mark.parametrize(
    ("code", "crashed"),
    [(None, False), (0, False), (1, False), (-9, False), (-11, True), (-6, True)],
)
def test_a_crash_is_no_kill(code: int | None, crashed: bool) -> None:
    assert has_crashed(code) is crashed
