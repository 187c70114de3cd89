"""One table of predictions by several processes: the bytes of one, in any order, after a kill."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from histocli.data.layouts import open_source
from histocli.data.shards import Shard
from histocli.data.shared_output import SharedOutput
from histocli.errors import BusyOutputError, SettingsError, SkippedInputsError
from histocli.training.api import TrainRequest, run_training
from histocli.training.plan import RunOptions
from histocli.training.use import WHOLE, UseSettings, predict_source
from tests.training.conftest import PLAN, SilentMonitor

USE = UseSettings("cpu", 4, "none", 2, strict=False)
Predict = Callable[..., dict[str, Any]]


class Killed(BaseException):
    """Stands for the end of the process."""


@pytest.fixture(scope="module")
def run(phantom: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained run."""
    request = TrainRequest(
        data=phantom,
        plan=replace(PLAN, epochs=1),
        explicit=frozenset(),
        options=RunOptions(tmp_path_factory.mktemp("runs"), 0, None, offline=True),
        name="run",
        device="cpu",
        resume=False,
        overwrite=False,
        dry_run=False,
        find_data=lambda named: named or phantom,
    )
    return run_training(request, SilentMonitor()).run


@pytest.fixture
def predict(run: Path, phantom: Path) -> Predict:
    """Predict a part of the phantom into a table; may be killed after so many tiles."""

    def part(
        table: Path,
        shard: Shard = WHOLE,
        kill_after: int = -1,
        use: UseSettings = USE,
        **options: Any,
    ) -> dict[str, Any]:
        done = 0

        def advance(number: int) -> None:
            nonlocal done
            done += number
            if 0 <= kill_after <= done:
                raise Killed

        return predict_source(run, phantom, table, use, lambda *_: advance, shard=shard, **options)

    return part


@pytest.fixture
def whole(predict: Predict, tmp_path: Path) -> bytes:
    """The table of one process."""
    predict(tmp_path / "whole" / "p.csv")
    return (tmp_path / "whole" / "p.csv").read_bytes()


@pytest.mark.parametrize("order", [(1, 2, 3), (3, 1, 2)])
def test_parts_in_any_order_killed_and_resubmitted_give_the_bytes_of_one_process(
    predict: Predict, whole: bytes, phantom: Path, tmp_path: Path, order: Sequence[int]
) -> None:
    table = tmp_path / "p.csv"
    with pytest.raises(Killed):
        predict(table, Shard(2, 3), kill_after=36)
    parts = [predict(table, Shard(number, 3)) for number in order[:2]]
    assert not table.exists()
    assert parts[-1]["missing_shards"] == [Shard(order[2], 3)]
    last = predict(table, Shard(order[2], 3))
    assert last["missing_shards"] == []
    assert table.read_bytes() == whole
    assert last["tiles"] + last["skipped"] == len(open_source(phantom).tiles)
    assert last["skipped"] > 0
    skipped = (tmp_path / "skipped.csv").read_bytes()
    assert skipped == (tmp_path / "whole" / "skipped.csv").read_bytes()
    left = sorted(path.name for path in tmp_path.iterdir() if path.name.startswith("."))
    assert left == [".p.csv.lock", ".p.csv.made-in-shards.json"]


def test_a_part_that_comes_again_finds_the_table_whole(
    predict: Predict, whole: bytes, tmp_path: Path
) -> None:
    table = tmp_path / "p.csv"
    predict(table, Shard(1, 2))
    facts = predict(table, Shard(2, 2))
    again = predict(table, Shard(1, 2), kill_after=0)
    assert again["predicted"] == facts["predicted"]
    assert again["missing_shards"] == []
    # Other work, or a table that was changed since, is no reason to leave it so.
    with pytest.raises(SettingsError, match="--overwrite"):
        predict(table, Shard(1, 2), use=UseSettings("cpu", 8, "none", 2, strict=False))
    table.write_bytes(whole + b"\n")
    with pytest.raises(SettingsError, match="--overwrite"):
        predict(table, Shard(1, 2))
    with pytest.raises(SettingsError, match="--overwrite"):
        predict(table)
    assert predict(table, Shard(1, 2), overwrite=True)["missing_shards"] == [Shard(2, 2)]
    predict(table, Shard(2, 2), overwrite=True)
    assert table.read_bytes() == whole


def test_a_table_goes_on_in_another_number_of_parts(
    predict: Predict, whole: bytes, tmp_path: Path
) -> None:
    table = tmp_path / "p.csv"
    predict(table, Shard(1, 2))
    with pytest.raises(Killed):
        predict(table, Shard(3, 3), kill_after=36)
    with pytest.raises(Killed):
        predict(table, kill_after=100)
    predict(table, Shard(2, 2))
    assert not table.exists()
    predict(table)
    assert table.read_bytes() == whole
    assert not list(tmp_path.glob(".p.csv.*.journal"))


def test_a_table_that_no_part_wrote_is_not_replaced(predict: Predict, tmp_path: Path) -> None:
    table = tmp_path / "p.csv"
    table.write_text("mine")
    with pytest.raises(SettingsError, match=r"p\.csv exists; pass --overwrite"):
        predict(table, Shard(1, 2))
    assert [path.name for path in tmp_path.iterdir()] == ["p.csv"]


def test_a_prediction_killed_as_it_ended_is_completed(
    predict: Predict, whole: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tmp_path / "own" / "p.csv"

    def killed(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(SharedOutput, "complete", killed)
        with pytest.raises(Killed):
            predict(table)
    assert table.read_bytes() == whole
    # Other work does not take the table for its own.
    with pytest.raises(SettingsError, match="exists"):
        predict(table, use=replace(USE, batch_size=2))
    predict(table)
    assert table.read_bytes() == whole
    assert {path.name for path in table.parent.iterdir()} == {".p.csv.lock", "p.csv", "skipped.csv"}


def test_the_part_that_completes_is_strict(predict: Predict, tmp_path: Path) -> None:
    strict = UseSettings("cpu", 8, "none", 2, strict=True)
    predict(tmp_path / "p.csv", Shard(1, 2), use=strict)
    with pytest.raises(SkippedInputsError, match="could not be read"):
        predict(tmp_path / "p.csv", Shard(2, 2), use=strict)
    assert (tmp_path / "p.csv").is_file()


def test_a_part_that_another_process_has_is_refused(predict: Predict, tmp_path: Path) -> None:
    with SharedOutput(tmp_path / "p.csv", Shard(1, 2), table=True):
        with pytest.raises(BusyOutputError, match="shard 1/2"):
            predict(tmp_path / "p.csv", Shard(1, 2))
        assert predict(tmp_path / "p.csv", Shard(2, 2))["missing_shards"] == [Shard(1, 2)]
