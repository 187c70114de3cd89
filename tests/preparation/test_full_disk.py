"""Disks that are full, or must not be written: what is said, and what is left."""

import resource
import shutil
from pathlib import Path

import pytest

from tests.preparation.conftest import Histo, everything
from tests.small_disk import Disk

# Too small for the first tiles, for all tiles, or for what is made of them at the end.
SIZES = [
    ("folder", "100k"),
    ("folder", "700k"),
    ("npz", "100k"),
    ("npz", "1m"),
    ("npz", "2500k"),
    ("zip", "700k"),
    ("zip", "2100k"),
    ("h5", "1m"),
    ("h5", "2500k"),
]


@pytest.mark.parametrize(("to", "size"), SIZES)
def test_a_full_disk_is_named_leaves_no_half_file_and_the_run_goes_on_with_more_space(
    tiles: Path, tmp_path: Path, disk: Disk, histo: Histo, to: str, size: str
) -> None:
    histo(tiles, "--output", tmp_path / "whole", "--to", to)
    disk.resize(size)
    output = disk.path / "out"
    failed = histo(tiles, "--output", output, "--to", to, code=1)
    assert str(output) in failed["error"]
    assert "the disk is full; free some space and run again" in failed["error"]
    whole = everything(tmp_path / "whole")
    for name, content in files_of(output).items():
        assert name == "run.json" or content == whole[name], name
    assert not list(output.rglob(".*.tmp-*"))
    disk.resize("64m")
    histo(tiles, "--output", output, "--to", to)
    assert everything(output) == whole


@pytest.mark.parametrize("to", ["npz", "zip", "h5"])
def test_a_limit_on_the_size_of_files_is_named_and_the_run_goes_on_without_it(
    tiles: Path, tmp_path: Path, histo: Histo, to: str
) -> None:
    histo(tiles, "--output", tmp_path / "whole", "--to", to)
    output = tmp_path / "out"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    # Enough for a tile's own file, not for all of them in one.
    resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, before[1]))
    try:
        failed = histo(tiles, "--output", output, "--to", to, code=1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert str(output) in failed["error"]
    assert "a file there may not be so large" in failed["error"]
    assert set(files_of(output)) == {"run.json", "reference.json"}
    histo(tiles, "--output", output, "--to", to)
    assert everything(output) == everything(tmp_path / "whole")


def files_of(folder: Path) -> dict[str, bytes]:
    """Everything under a final name."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not any(p.startswith(".") for p in path.relative_to(folder).parts)
    }


def test_a_disk_that_must_not_be_written_is_named(tiles: Path, disk: Disk, histo: Histo) -> None:
    disk.protect()
    refused = histo(tiles, "--output", disk.path / "out", code=2)
    assert str(disk.path / "out") in refused["error"]
    assert "choose an --output that can be written" in refused["error"]


@pytest.mark.parametrize("to", ["folder", "npz"])
def test_what_lies_on_a_protected_disk_stays_as_it_is(
    tiles: Path, disk: Disk, histo: Histo, tmp_path: Path, to: str
) -> None:
    shutil.copytree(tiles / "valid", tmp_path / "in")
    output = disk.path / "out"
    histo(tmp_path / "in", "--output", output, "--to", to)
    before = files_of(output)
    disk.protect()
    refused = histo(tmp_path / "in", "--output", output, "--to", to, "--overwrite", code=2)
    assert str(output) in refused["error"]
    assert files_of(output) == before
