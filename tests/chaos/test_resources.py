"""Disks that fill up or may not be written, file handles and memory that run out, under every command."""

import signal
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

MEMORY = (
    "out of memory a command says so or dies, leaves nothing half written, and continues with more"
)
# Of address space: for some threads and little work. With 10 MB Python cannot even say what was wrong, with
# less it waits for ever for a thread that could not begin.
MORE_BYTES = (30_000_000, 60_000_000, 120_000_000)
# The second: LLVM, which loads the compiled loops, ends the process by itself.
SAID = ("out of memory: run again", "LLVM ERROR: Unable to allocate section memory")
# Libraries in C that do not look whether they were given memory.
DIED = (-signal.SIGSEGV, -signal.SIGABRT)
UNWRITABLE = "where nothing may be written a command names the path, and continues when it may"

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(1200)]


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warm]:
    with Warm(tmp_path_factory.mktemp("warm") / "log") as made:
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


@pytest.mark.parametrize("command", list(COMMANDS))
def test_memory_that_runs_out(warm: Warm, tmp_path: Path, tally: Count, command: str) -> None:
    world = make_world(warm, tmp_path / "world", tiles=60)
    whole = undisturbed(world, command)
    wrong, exhausted = [], 0
    for more in MORE_BYTES:
        world.prepare(needs_run=command not in ("normalize", "train"))
        before = results(world.folder)
        warm.log.write_text("")
        code = warm.wait(warm.begin(COMMANDS[command](world), memory=more))
        printed = warm.log.read_text()
        if code:
            exhausted += 1
            if code not in DIED and not any(words in printed for words in SAID):
                wrong.append(f"{more} bytes: exit code {code}, {printed[-300:]}")
            wrong += half_written(results(world.folder), before, whole.files)
            warm.run(COMMANDS[command](world))
        wrong += differences(results(world.folder), whole.files)
    tally(MEMORY, len(MORE_BYTES), len(wrong))
    assert not wrong, "\n".join(wrong)
    # The others need little more than what is imported.
    assert exhausted or command != "train", "there was always enough"


@pytest.mark.parametrize("how", ["read-only", "not permitted"])
@pytest.mark.parametrize("command", list(COMMANDS))
def test_a_place_that_may_not_be_written(
    warm: Warm, disk: Disk, tally: Count, command: str, how: str
) -> None:
    world = make_world(warm, disk.path / "world", tiles=60)
    whole = undisturbed(world, command)
    world.prepare(needs_run=command not in ("normalize", "train"))
    before = results(world.folder)
    warm.log.write_text("")
    folders = [world.folder, *(path for path in world.folder.rglob("*") if path.is_dir())]
    if how == "read-only":
        disk.protect()
        code = warm.wait(warm.begin(COMMANDS[command](world)))
        disk.allow()
    else:
        for folder in folders:
            folder.chmod(0o555)
        code = warm.wait(warm.begin(COMMANDS[command](world), unprivileged=1))
        for folder in folders:
            folder.chmod(0o755)
    printed = " ".join(warm.log.read_text().split())
    wrong = [] if code == 2 and str(world.folder) in printed else [f"exit code {code}: {printed}"]
    wrong += differences(results(world.folder), before)
    warm.run(COMMANDS[command](world))
    wrong += differences(results(world.folder), whole.files)
    tally(UNWRITABLE, 1, int(bool(wrong)))
    assert not wrong, "\n".join(wrong)
