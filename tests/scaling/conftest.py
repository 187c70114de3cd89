"""Tiles, and a folder that counts deaths."""

from pathlib import Path

import pytest

from histocli.data.phantom import write_phantom


@pytest.fixture(scope="session")
def tiles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 phantom tiles, one unreadable among them."""
    folder = tmp_path_factory.mktemp("scaling") / "data"
    write_phantom(folder, tiles=60, seed=2)
    return folder


@pytest.fixture
def marks(tmp_path: Path) -> Path:
    """Where tasks note that they died."""
    folder = tmp_path / "marks"
    folder.mkdir()
    return folder


@pytest.fixture
def said() -> list[str]:
    """What the user is told."""
    return []
