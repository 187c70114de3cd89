"""Shards on a Dask cluster whose workers are killed."""

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import psutil
import pytest
from distributed import Client
from shard_tasks import Counting, Dying, crash, silent_begin, wrong_input

from histocli.data.shards import Shard
from histocli.errors import HistoError, InputError, SettingsError
from histocli.scaling import dask_cluster
from histocli.scaling.dask_cluster import check_scheduler, cluster, run_on_dask

SHARDS = Shard().divided(3)


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    """A cluster of two workers."""
    with cluster("local", 2) as client:
        yield client


def test_results_keep_the_order_of_the_shards(client: Client, tmp_path: Path) -> None:
    results = run_on_dask(client, Counting(tmp_path), SHARDS, silent_begin)
    assert [number for number, _ in results] == [1, 2, 3]
    assert os.getpid() not in {process for _, process in results}


@pytest.mark.parametrize("overwrite", [False, True])
def test_the_shard_of_a_killed_worker_is_continued_by_another(
    client: Client, tmp_path: Path, marks: Path, overwrite: bool
) -> None:
    task = Dying(Counting(tmp_path), SHARDS[1], marks, after=4)
    run_on_dask(client, task, SHARDS, silent_begin, overwrite=overwrite)
    rows = [line.split() for line in (tmp_path / "2.txt").read_text().splitlines()]
    # The second attempt does not begin anew, though it was asked for.
    assert [int(number) for number, _ in rows] == list(range(10))
    assert len({process for _, process in rows}) == 2


def test_an_expected_error_is_raised_here(client: Client) -> None:
    with pytest.raises(InputError, match="2/2: no such folder"):
        run_on_dask(client, wrong_input, Shard().divided(2)[1:], silent_begin)


def test_a_surprise_names_the_shard(client: Client) -> None:
    with pytest.raises(HistoError, match="shard 1/3 failed on the cluster: ValueError: unforeseen"):
        run_on_dask(client, crash, SHARDS[:1], silent_begin)


def test_a_shard_that_kills_every_worker_is_given_up(
    client: Client, tmp_path: Path, marks: Path
) -> None:
    task = Dying(Counting(tmp_path), SHARDS[0], marks, times=99)
    with pytest.raises(HistoError, match="shard 1/3: 4 workers died of it"):
        run_on_dask(client, task, SHARDS[:1], silent_begin)


def test_a_local_cluster_is_for_its_own_processes(client: Client) -> None:
    processes = [psutil.Process(), *psutil.Process().children(recursive=True)]
    listening = [
        connection.laddr
        for process in processes
        for connection in process.net_connections(kind="inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert {address.ip for address in listening} == {"127.0.0.1"}
    address = client.scheduler.address
    assert address.startswith("tls://127.0.0.1")
    with pytest.raises((OSError, TypeError)):
        Client(address, timeout=2)
    pages = client.scheduler_info()["services"]["dashboard"]
    with pytest.raises(HTTPError, match="404"):
        urlopen(f"http://127.0.0.1:{pages}/info/main/workers.html", timeout=5)


def test_addresses_and_the_missing_package_are_said_before_any_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(SettingsError, match=r"write local, or a scheduler's address like tcp://"):
        check_scheduler("somewhere")
    check_scheduler("tcp://somewhere:8786")
    monkeypatch.setattr(dask_cluster, "find_spec", lambda _: None)
    with pytest.raises(SettingsError, match=r"pip install 'histocli\[dask\]'"):
        check_scheduler("local")


def test_nobody_at_an_address_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask_cluster, "SECONDS_TO_CONNECT", 1)
    with (
        pytest.raises(SettingsError, match="no Dask scheduler answers there"),
        cluster("tcp://127.0.0.1:9", 1),
    ):
        pass
