"""Fixtures that every test may use."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.small_disk import Disk

SHARED_DATA = Path(__file__).resolve().parents[1].parent / "shared" / "data"


@pytest.fixture(autouse=True)
def isolated(monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings of the developer's own, and no network."""
    for name in list(os.environ):
        if name.startswith("HISTO_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def real_data(name: str) -> Path:
    """A folder of real tiles; the test is skipped where it is absent."""
    folder = SHARED_DATA / name
    if not folder.is_dir():
        pytest.skip(f"real tiles are absent ({folder.name}); they are not part of the project")
    return folder


@pytest.fixture(scope="session")
def pcam() -> Path:
    """Real PatchCamelyon tiles."""
    return real_data("pcam")


@pytest.fixture(scope="session")
def lc25000() -> Path:
    """Real lung and colon tiles."""
    return real_data("lc25000")


@pytest.fixture(scope="session")
def real_tiles(pcam: Path) -> NDArray[np.uint8]:
    """256 PatchCamelyon tiles, uint8 (N, 3, 96, 96), drawn evenly over the test split."""
    from histocli.data.layouts import open_source

    source = open_source(pcam / "test")
    chosen = np.linspace(0, len(source.tiles) - 1, 256).astype(int)
    return np.stack([source.read(int(i)) for i in chosen]).transpose(0, 3, 1, 2).copy()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    if not hasattr(os, "geteuid") or os.geteuid() or shutil.which("mount") is None:
        pytest.skip("only root can mount a small disk")
    try:
        made = Disk(tmp_path / "disk")
    except subprocess.CalledProcessError:
        pytest.skip("a small disk cannot be mounted here")
    yield made
    made.remove()
