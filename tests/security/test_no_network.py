"""Every command works, or says why it cannot, with sockets forbidden."""

import json
import subprocess
import sys

import pytest
from typer.models import CommandInfo

from histocli.cli.app import app
from histocli.data.phantom import write_phantom

# Each command in this one process, which may not look up a name, connect, or begin a process that could.
PROGRAM = """
import json, socket, sys

def forbidden(*arguments, **options):
    raise SystemExit(f"network: {arguments}")

socket.socket.connect = socket.socket.connect_ex = socket.socket.sendto = forbidden
socket.getaddrinfo = socket.create_connection = socket.gethostbyname = forbidden
from histocli.cli.app import app

for arguments, codes in json.load(sys.stdin):
    try:
        app(arguments)
    except SystemExit as ended:
        # A message for a code: the network was tried.
        if (ended.code or 0) not in codes:
            raise SystemExit(f"{arguments}: {ended.code}")
"""
NETWORK = (
    "--arch", "test_efficientnet", "--weights", "none", "--epochs", "1", "--input-size-px", "32",
    "--test-time-augmentation", "none",
)  # fmt: skip


def name_of(command: CommandInfo) -> str:
    return command.name or str(getattr(command.callback, "__name__", ""))


def every_command() -> list[CommandInfo]:
    """Of the app, and of the group of commands in it."""
    (group,) = app.registered_groups
    assert group.typer_instance is not None
    return [*app.registered_commands, *group.typer_instance.registered_commands]


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What a pipeline without --verbose says on stderr, sockets forbidden."""
    folder = tmp_path_factory.mktemp("network")
    data, run, other = folder / "data", folder / "runs" / "run", folder / "runs" / "other"
    write_phantom(data, tiles=60, seed=1)
    device = ["--device", "cpu", "--workers", "1", "--offline"]
    runs = ["--runs", str(run.parent), "--name", run.name]
    quick = ["--arch", "test_efficientnet", "--tiles", "16", "--seconds", "0.05"]
    commands = [
        ["demo", str(folder / "demo"), "--tiles", "60", "--offline"],
        ["data", "describe", str(data), "--offline"],
        ["data", "index", str(data), "--offline"],
        ["normalize", str(data), "--output", str(folder / "normalized"), *device],
        ["qc", str(data), "--output", str(folder / "qc"), *device],
        ["train", str(data), *NETWORK, *runs, *device],
        ["predict", str(run), str(data), "--output", str(folder / "p.csv"), *device],
        ["evaluate", str(run), "--bootstrap-samples", "100", *device],
        ["explain", str(run), "--tiles", "4", *device],
        ["report", str(run), "--offline"],
        ["train", str(data), *NETWORK, *runs[:2], "--name", "other", "--seed", "1", *device],
        ["ensemble", str(run), str(other), *runs[:2], "--name", "two", "--offline"],
        ["export", str(run), "--tiles", "4", "--offline"],
        ["arch", "resnet50", "--offline"],
        ["bench", str(data), *quick, *device],
        ["config"],
    ]
    # What needs the network says so; what looks at the machine may find something to say.
    special = [
        (["data", "fetch", "patchcamelyon", "--offline"], [2, 3]),
        (["doctor", "--offline"], [0, 1]),
    ]
    given = [*((arguments, [0]) for arguments in commands), *special]
    names = {arguments[1 if arguments[0] == "data" else 0] for arguments, _ in given}
    assert names == {name_of(each) for each in every_command()}
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    assert (run / "report.html").is_file()
    return ended.stderr


def test_no_command_uses_the_network(said: str) -> None:
    assert "network:" not in said


def test_no_tile_is_named_in_messages_unless_it_is_refused(said: str) -> None:
    """Paths may hold names of patients. The phantom has one truncated tile, which is named."""
    named = [line for line in said.splitlines() if ".png" in line and "_analysis" not in line]
    assert all("truncated" in line or "cannot be read" in line for line in named), named


def test_the_attempt_would_be_noticed() -> None:
    program = PROGRAM.split("from histocli", maxsplit=1)[0] + "socket.create_connection(('a', 1))"
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 1
    assert "network:" in ended.stderr
