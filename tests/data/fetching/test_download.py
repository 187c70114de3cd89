"""A download ends whole or says why not, whatever the server does."""

import re
from pathlib import Path

import numpy as np
import pytest

from histocli.data.fetching.download import TRIES, download
from histocli.errors import InputError
from tests.data.fetching.conftest import Server

CONTENT = np.random.default_rng(0).integers(0, 256, 100_000).astype(np.uint8).tobytes()


class Waits(list[float]):
    """Notes how long it should have slept."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)


def test_a_file_comes_whole_with_its_progress(server: Server, tmp_path: Path) -> None:
    server.files["/a.npz"] = CONTENT
    received: list[int] = []
    part = download(f"{server.address}/a.npz", tmp_path / "a.npz", received.append)
    assert part == tmp_path / "a.npz.part"
    assert part.read_bytes() == CONTENT
    assert sum(received) == len(CONTENT)


def test_cut_connections_are_continued(server: Server, tmp_path: Path) -> None:
    server.files["/a"] = CONTENT
    server.cut_after = [30_000, 0, 20_000]
    waits = Waits()
    assert download(f"{server.address}/a", tmp_path / "a", None, waits).read_bytes() == CONTENT
    ranges = [wanted for _, wanted in server.requests]
    assert ranges == [None, "bytes=30000-", "bytes=30000-", "bytes=50000-"]
    assert waits == [2, 4, 2]


def test_an_earlier_call_is_continued(server: Server, tmp_path: Path) -> None:
    server.files["/a"] = CONTENT
    (tmp_path / "a.part").write_bytes(CONTENT[:70_000])
    received: list[int] = []
    part = download(f"{server.address}/a", tmp_path / "a", received.append)
    assert part.read_bytes() == CONTENT
    assert received[0] == 70_000
    assert sum(received) == len(CONTENT)
    assert server.requests == [("/a", "bytes=70000-")]
    # Whole already, but not yet renamed.
    assert download(f"{server.address}/a", tmp_path / "a").read_bytes() == CONTENT


def test_a_part_longer_than_the_file_is_begun_anew(server: Server, tmp_path: Path) -> None:
    server.files["/a"] = CONTENT
    (tmp_path / "a.part").write_bytes(CONTENT * 2)
    part = download(f"{server.address}/a", tmp_path / "a", None, Waits())
    assert part.read_bytes() == CONTENT


def test_a_server_without_ranges_sends_all_again(server: Server, tmp_path: Path) -> None:
    server.files["/a"] = CONTENT
    server.ranges = False
    (tmp_path / "a.part").write_bytes(b"another beginning")
    part = download(f"{server.address}/a", tmp_path / "a", None, Waits())
    assert part.read_bytes() == CONTENT


def test_a_busy_server_is_asked_again(server: Server, tmp_path: Path) -> None:
    server.files["/a"] = CONTENT
    server.errors = [503]
    assert download(f"{server.address}/a", tmp_path / "a", None, Waits()).is_file()
    server.errors = [429]
    assert download(f"{server.address}/a", tmp_path / "b", None, Waits()).is_file()


def test_what_is_not_there_is_said_at_once(server: Server, tmp_path: Path) -> None:
    waits = Waits()
    with pytest.raises(InputError, match=r"/absent: the server answers 404"):
        download(f"{server.address}/absent", tmp_path / "a", None, waits)
    assert waits == []


def test_a_line_that_is_always_cut_ends_in_a_message(server: Server, tmp_path: Path) -> None:
    server.files["/a"] = CONTENT
    server.cut_after = [10_000, *[0] * 20]
    waits = Waits()
    with pytest.raises(InputError, match=r"the connection was cut; .* again to continue"):
        download(f"{server.address}/a", tmp_path / "a", None, waits)
    assert len(waits) == TRIES - 1
    assert (tmp_path / "a.part").stat().st_size == 10_000


def test_without_a_network_the_message_is_quick_and_clear(server: Server, tmp_path: Path) -> None:
    del server
    waits = Waits()
    with pytest.raises(InputError, match=r"refused.*; is there a network\?") as caught:
        # A port that nothing listens on.
        download("http://127.0.0.1:9/a", tmp_path / "a", None, waits)
    assert re.search(rf"put it at {re.escape(str(tmp_path / 'a'))}", str(caught.value))
    assert len(waits) == 1


def test_only_the_web_is_fetched_from(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="only http and https"):
        download("file:///etc/passwd", tmp_path / "a")
