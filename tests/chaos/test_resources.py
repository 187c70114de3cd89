"""Disks that fill up and file handles that run out, under every command."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.conftest import Count
from tests.chaos.kills import COMMANDS, make_world, undisturbed
from tests.chaos.leftovers import differences, half_written, results
from tests.chaos.warm_commands import Warm
from tests.small_disk import Disk

FULL = "on a full disk a command says so, leaves nothing half written, and continues when there is room"
HANDLES = "out of file handles a command says so, calls no tile unreadable, and continues with more"
# Free bytes: for next to nothing, for small files, for some of the large ones.
ROOMS = (0, 16_000, 1_000_000)
# With none not even a module can be imported.
MORE_HANDLES = (1, 2, 3)

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(1200)]


@pytest.fixture
def warm(tmp_path: Path) -> Iterator[Warm]:
    with Warm(tmp_path / "log") as made:
        yield made


@pytest.mark.parametrize("command", list(COMMANDS))
def test_a_disk_that_fills_up_under_a_command(
    warm: Warm, disk: Disk, tally: Count, command: str
) -> None:
    world = make_world(warm, disk.path / "world", tiles=60)
    whole = undisturbed(world, command)
    wrong, full = [], 0
    for room in ROOMS:
        world.prepare(needs_run=command not in ("normalize", "train"))
        before = results(world.folder)
        disk.leave_free(room)
        warm.log.write_text("")
        code = warm.wait(warm.begin(COMMANDS[command](world)))
        printed = warm.log.read_text()
        disk.resize("64m")
        if code:
            full += 1
            if code != 1 or "the disk is full; free some space" not in printed:
                wrong.append(f"{room} bytes free: exit code {code}, {printed[-300:]}")
            wrong += half_written(results(world.folder), before, whole.files)
            warm.run(COMMANDS[command](world))
        wrong += differences(results(world.folder), whole.files)
    tally(FULL, len(ROOMS), len(wrong))
    assert not wrong, "\n".join(wrong)
    assert full, "the disk was never full"


@pytest.mark.parametrize("command", list(COMMANDS))
def test_file_handles_that_run_out(warm: Warm, tmp_path: Path, tally: Count, command: str) -> None:
    world = make_world(warm, tmp_path / "world", tiles=60)
    whole = undisturbed(world, command)
    wrong, exhausted = [], 0
    for handles in MORE_HANDLES:
        world.prepare(needs_run=command not in ("normalize", "train"))
        before = results(world.folder)
        warm.log.write_text("")
        code = warm.wait(warm.begin(COMMANDS[command](world), handles=handles))
        printed = warm.log.read_text()
        if code:
            exhausted += 1
            if "too many open files: raise the limit" not in printed:
                wrong.append(f"{handles} handles: exit code {code}, {printed[-300:]}")
            wrong += half_written(results(world.folder), before, whole.files)
            warm.run(COMMANDS[command](world))
        wrong += differences(results(world.folder), whole.files)
    tally(HANDLES, len(MORE_HANDLES), len(wrong))
    assert not wrong, "\n".join(wrong)
    # A report reads one file at a time, so that one handle is enough.
    assert exhausted or command == "report", "there were always enough"
