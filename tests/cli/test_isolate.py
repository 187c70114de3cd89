"""`--isolate`: a file that crashes its decoder costs one tile of any command, not the command."""

import csv
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.data.layouts.examples import draw, encode, write_file

# Imported by every process before anything else: a decoder that a certain file takes down.
CRASHING_DECODER = """
import ctypes
import histocli.data.images as images
decode = images.decode_image
def decode_or_crash(content, name):
    if content.endswith(b"crash"):
        ctypes.string_at(0)
    return decode(content, name)
images.decode_image = decode_or_crash
"""
BAD = {"train/a/00.png", "valid/b/01.png", "test/a/00.png"}
REASON = "its decoder crashed (SIGSEGV)"
TRAIN = (
    *("train", "data", "--arch", "test_efficientnet", "--weights", "none", "--epochs", "1"),
    *("--input-size-px", "32", "--batch-size", "4", "--test-time-augmentation", "none"),
    *("--name", "run", "--device", "cpu", "--cache", "none"),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set with a bad file in each split, and the decoder that it crashes."""
    folder = tmp_path_factory.mktemp("isolate")
    for split in ("train", "valid", "test"):
        for number in range(12):
            name = f"{split}/{'ab'[number % 2]}/{number:02d}.png"
            tile = draw(1, hash_of(name), 32)[0] // 2 + 90
            end = b"crash" if name in BAD else b""
            write_file(folder / "data" / name, encode(tile.astype(np.uint8)) + end)
    write_file(folder / "site/sitecustomize.py", CRASHING_DECODER.encode())
    return folder


def hash_of(name: str) -> int:
    return sum((place + 1) * byte for place, byte in enumerate(name.encode()))


def histo(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from histocli.cli.app import main; main()", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": f"{folder / 'site'}:{Path(__file__).parents[2]}"},
        capture_output=True,
        text=True,
        check=False,
    )


def refused(path: Path) -> dict[str, str]:
    with path.open(newline="") as file:
        return {row["tile"]: row["reason"] for row in csv.DictReader(file)}


@pytest.mark.parametrize("processes", ["1", "2"])
def test_normalize_continues_where_it_crashed(folder: Path, processes: str) -> None:
    command = ("normalize", "data", "--output", f"n{processes}", "--batch-size", "4")
    if processes == "1":
        crashed = histo(folder, *command)
        assert crashed.returncode == -signal.SIGSEGV
        # Where it was, in functions and lines, without the name of the file.
        assert "Segmentation fault" in crashed.stderr
        assert "decode_or_crash" in crashed.stderr
        assert "00.png" not in crashed.stderr
    went_on = histo(folder, *command, "--isolate", "--processes", processes)
    assert went_on.returncode == 0, went_on.stderr
    assert "died" not in went_on.stderr
    assert refused(folder / f"n{processes}/skipped.csv") == dict.fromkeys(BAD, REASON)
    assert len(list((folder / f"n{processes}").rglob("*.png"))) == 33


def test_a_dask_cluster_is_refused(folder: Path) -> None:
    pytest.importorskip("distributed", reason="needs the extra dask")
    result = histo(folder, "qc", "data", "--output", "q0", "--isolate", "--scheduler", "local")
    assert result.returncode == 2
    assert result.stderr.splitlines()[-1].startswith("error: --isolate: workers of a Dask cluster")


@pytest.mark.slow
def test_every_other_command_goes_on(folder: Path) -> None:
    def ok(*arguments: str) -> str:
        result = histo(folder, *arguments, "--isolate")
        assert result.returncode == 0, (arguments, result.stderr)
        return result.stdout + result.stderr

    assert "3 of 36" in ok("data", "describe", "data")
    ok("data", "index", "data", "--output", "index.csv")
    ok("qc", "data", "--output", "q", "--batch-size", "4")
    assert refused(folder / "q/skipped.csv") == dict.fromkeys(BAD, REASON)
    crashed = histo(folder, *TRAIN)
    assert crashed.returncode == -signal.SIGSEGV
    trained = histo(folder, *TRAIN, "--resume", "--isolate")
    assert trained.returncode == 0, trained.stderr
    ok("predict", "run", "data", "--output", "p.csv")
    ok("evaluate", "run")
    ok("explain", "run", "--tiles", "12", "--pictures", "2")
