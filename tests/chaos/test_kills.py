"""SIGKILL across the commands; `make chaos` tries 40 moments, `make chaos-full` 200."""

import os
from collections.abc import Iterator

import pytest

from tests.chaos.conftest import Count
from tests.chaos.kills import (
    COMMANDS,
    Undisturbed,
    World,
    begin_twice,
    kill_once,
    make_world,
    moments,
    undisturbed,
)
from tests.chaos.warm_commands import Warm

CONTINUES = "killed at any moment, a command given again ends with the bytes of an undisturbed one"
TOGETHER = "two live commands do not spoil one output"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("kills")
    with Warm(folder / "log") as warm:
        yield make_world(warm, folder / "world", tiles=60)


def test_a_killed_normalize_continues(world: World) -> None:
    """A small part of what `make chaos` tries."""
    whole = undisturbed(world, "normalize")
    for moment in (0.2, 0.5, 0.8):
        assert kill_once(world, "normalize", whole, moment)[1] == []


@pytest.mark.chaos
@pytest.mark.timeout(7200)
def test_killed_at_any_moment_a_command_continues(world: World, tally: Count) -> None:
    count = int(os.environ.get("CHAOS_KILLS", "40"))
    wholes: dict[str, Undisturbed] = {}
    failures = []
    in_time = 0
    for command, moment in moments(count, seed=0):
        if command not in wholes:
            wholes[command] = undisturbed(world, command)
        try:
            killed, wrong = kill_once(world, command, wholes[command], moment)
        except AssertionError as error:  # the command, given again, failed
            killed, wrong = True, [str(error)]
        in_time += killed
        if not killed:
            # The machine is faster than it was: later moments shall be within the command again.
            wholes[command] = undisturbed(world, command)
        if wrong:
            failures.append(f"{command} at {moment:.3f}: {wrong}")
    tally(CONTINUES, count, len(failures))
    assert not failures, "\n".join(failures)
    # Most moments are before the end, however unevenly the machine works.
    assert in_time > count // 2


@pytest.mark.chaos
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("command", list(COMMANDS))
@pytest.mark.parametrize("share", [0.0, 0.5])
def test_two_live_commands_do_not_spoil_one_output(
    world: World, tally: Count, command: str, share: float
) -> None:
    whole = undisturbed(world, command)
    wrong = begin_twice(world, command, whole, share * whole.seconds)
    tally(TOGETHER, 1, int(bool(wrong)))
    assert wrong == []
