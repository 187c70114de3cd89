"""Every command that works on tiles does so with sockets forbidden."""

import json
import subprocess
import sys

import pytest

from histocli.data.phantom import write_phantom

# Each command in this one process, which may not look up a name, connect, or begin a process that could.
PROGRAM = """
import json, socket, sys

def forbidden(*arguments, **options):
    raise SystemExit(f"network: {arguments}")

socket.socket.connect = socket.socket.connect_ex = socket.socket.sendto = forbidden
socket.getaddrinfo = socket.create_connection = socket.gethostbyname = forbidden
from histocli.cli.app import app

for arguments in json.load(sys.stdin):
    try:
        app(arguments)
    except SystemExit as ended:
        if ended.code:
            raise SystemExit(f"{arguments}: {ended.code}")
"""
NETWORK = (
    "--arch", "test_efficientnet", "--weights", "none", "--epochs", "1", "--input-size-px", "32",
    "--test-time-augmentation", "none",
)  # fmt: skip


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What a pipeline without --verbose says on stderr, sockets forbidden."""
    folder = tmp_path_factory.mktemp("network")
    data, run = folder / "data", folder / "runs" / "run"
    write_phantom(data, tiles=60, seed=1)
    device = ["--device", "cpu", "--workers", "1", "--offline"]
    runs = ["--runs", str(run.parent), "--name", run.name]
    commands = [
        ["normalize", str(data), "--output", str(folder / "normalized"), *device],
        ["qc", str(data), "--output", str(folder / "qc"), *device],
        ["train", str(data), *NETWORK, *runs, *device],
        ["predict", str(run), str(data), "--output", str(folder / "p.csv"), *device],
        ["evaluate", str(run), "--bootstrap-samples", "100", *device],
        ["explain", str(run), "--tiles", "4", *device],
        ["report", str(run), "--offline"],
    ]
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        input=json.dumps(commands),
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
