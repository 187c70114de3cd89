"""`--processes` and `--scheduler` as typed: the bytes of one process, for each command that has them."""

import json
import pickle
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner, Result

from histocli.cli.app import app
from histocli.data.loading import load_batches
from histocli.data.phantom import write_phantom
from histocli.data.shards import Shard
from histocli.data.tiles import TileBatch
from histocli.scaling.attempt import Begin, Say, ShardTask
from tests.preparation.conftest import everything

TRAIN = ["--arch", "test_efficientnet", "--weights", "none", "--epochs", "1", "--name", "run",
         "--input-size-px", "32", "--test-time-augmentation", "none"]  # fmt: skip


def histo(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def facts(*arguments: object) -> dict[str, Any]:
    result = histo(*arguments, "--json")
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


@contextmanager
def one_thread() -> Iterator[None]:
    """Of torch, in this process."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Tiles, a run, and what one process makes of them."""
    folder = tmp_path_factory.mktemp("workplace")
    write_phantom(folder / "data", tiles=90, seed=4)
    with pytest.MonkeyPatch.context() as patch, one_thread():
        # Of the processes; Dask gives its own one thread, and another number rounds otherwise.
        patch.setenv("OMP_NUM_THREADS", "1")
        patch.chdir(folder)
        facts("train", "data", *TRAIN)
        facts("predict", "run", "data", "--output", folder / "whole.csv", "--batch-size", 8)
        facts("qc", "data", "--output", "whole-qc")
        yield folder


@pytest.mark.slow
def test_qc_in_processes(workplace: Path) -> None:
    found = facts("qc", "data", "--output", "p-qc", "--processes", 2)
    assert found["tiles"] == 90
    assert everything(workplace / "p-qc") == everything(workplace / "whole-qc")
    # Once more, anew, of one part of an array.
    part = facts(
        *("qc", "data", "--output", "p-qc", "--overwrite"),
        *("--processes", 2, "--shard", "1/2"),
    )
    assert part["missing_shards"] == ["3/4", "4/4"]
    facts("qc", "data", "--output", "p-qc", "--processes", 2, "--shard", "2/2")
    assert everything(workplace / "p-qc") == everything(workplace / "whole-qc")


@pytest.mark.slow
@pytest.mark.parametrize("how", [("--processes", 3), ("--scheduler", "local", "--processes", 2)])
def test_predict(workplace: Path, tmp_path: Path, how: tuple[object, ...]) -> None:
    table = tmp_path / "p.csv"
    command = ("predict", "run", "data", "--output", table, "--batch-size", 8, *how)
    found = facts(*command)
    assert found["tiles"] + found["skipped"] == 90
    assert table.read_bytes() == (workplace / "whole.csv").read_bytes()
    assert facts(*command)["predicted"] == found["predicted"]
    facts(*command, "--overwrite")
    assert table.read_bytes() == (workplace / "whole.csv").read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("how", [("--processes", 3), ("--scheduler", "local", "--processes", 2)])
def test_normalize(tmp_path: Path, workplace: Path, how: tuple[object, ...]) -> None:
    data = (workplace / "data").absolute()
    options = ("--context", "tile,group,dataset")
    facts("normalize", data, *options, "--output", tmp_path / "whole")
    found = facts("normalize", data, *options, "--output", tmp_path / "parts", *how)
    assert found["tiles"] == 90
    assert everything(tmp_path / "parts") == everything(tmp_path / "whole")


@pytest.mark.slow
def test_qc_on_a_cluster(workplace: Path) -> None:
    source = (workplace / "data").absolute()
    facts("qc", source, "--output", "absolute-qc")
    facts("qc", "data", "--output", "d-qc", "--scheduler", "local", "--processes", 2)
    assert everything(workplace / "d-qc") == everything(workplace / "absolute-qc")


@pytest.fixture
def few(tmp_path: Path) -> Path:
    """Tiles alone."""
    write_phantom(tmp_path / "data", tiles=60, seed=4)
    return tmp_path / "data"


@pytest.fixture
def divided(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Shard, bool]]:
    """What would go to processes is done here, one after another, and noted."""
    asked: list[tuple[Shard, bool]] = []

    def one_after_another(
        task: ShardTask,
        shards: Sequence[Shard],
        begin: Begin,
        say: Say,
        *,
        overwrite: bool,
        apart: bool,
    ) -> list[Any]:
        assert not apart
        asked.extend((shard, overwrite) for shard in shards)
        # Numbers and paths travel, no tiles and no table of them.
        assert len(pickle.dumps(task)) < 4000
        sent: ShardTask = pickle.loads(pickle.dumps(task))  # noqa: S301 - pickled in the same line
        return [sent(shard=one, overwrite=overwrite, begin=begin, say=say) for one in shards]

    monkeypatch.setattr("histocli.scaling.processes.run_in_processes", one_after_another)
    return asked


def test_a_part_is_divided_among_processes_and_they_share_the_cores(
    few: Path, tmp_path: Path, divided: list[tuple[Shard, bool]], monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[int | None] = []
    load = load_batches

    def noted(*arguments: Any, workers: int | None, **options: Any) -> Iterator[TileBatch]:
        threads.append(workers)
        return load(*arguments, workers=workers, **options)

    monkeypatch.setattr("histocli.qc.check.load_batches", noted)
    monkeypatch.setattr("histocli.data.loading.default_workers", lambda: 8)
    command = ("qc", few, "--output", tmp_path / "q", "--processes", 3)
    first = facts(*command, "--shard", "1/2")
    assert divided == [(Shard(number, 6), False) for number in (1, 2, 3)]
    assert first["missing_shards"] == ["4/6", "5/6", "6/6"]
    assert set(threads) == {2}
    last = facts(*command, "--shard", "2/2", "--workers", 5)
    assert last["tiles"] == 60
    assert set(threads) == {2, 5}
    divided.clear()
    assert facts(*command, "--overwrite")["tiles"] == 60
    assert divided == [(Shard(number, 3), True) for number in (1, 2, 3)]


def test_the_counts_of_a_divided_part_are_added_up(
    few: Path, tmp_path: Path, divided: list[tuple[Shard, bool]]
) -> None:
    command = ("normalize", few, "--output", tmp_path / "n", "--processes", 2)
    first = facts(*command, "--shard", "1/2")
    assert len(divided) == 2
    assert first["missing_shards"] == ["3/4", "4/4"]
    assert first["tiles"] == 30
    assert sum(first["by_status"].values()) + len(first["skipped"]) == 30
    last = facts(*command, "--shard", "2/2")
    assert last["tiles"] == 60
    assert sum(last["by_status"].values()) + len(last["skipped"]) == 60


def test_what_no_cluster_can_be_reached_by_is_refused(few: Path) -> None:
    refused = histo("qc", few, "--scheduler", "somewhere", "--json")
    assert refused.exit_code == 2
    assert "write local, or a scheduler's address" in refused.stderr
