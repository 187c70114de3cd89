"""Tiles and comparisons that the tests of preparation share."""

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner

from histocli.cli.app import app
from histocli.data.phantom import write_phantom

# What may differ between runs of the same work: times, how it was asked for, and the checkout meanwhile.
TIMES = ("started", "finished", "command_line", "git_commit")


@pytest.fixture(scope="session")
def tiles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Phantom tiles in splits, one lossy and one unreadable among them, and their table."""
    folder = tmp_path_factory.mktemp("shards") / "data"
    write_phantom(folder, tiles=60, seed=2)
    first = next((folder / "train" / "tumor").glob("*.png"))
    Image.open(first).save(folder / "train" / "tumor" / "lossy.jpg", quality=95)
    return folder


def everything(folder: Path) -> dict[str, Any]:
    """All files of a folder; of run.json all but times."""
    found: dict[str, Any] = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    record = json.loads(found["run.json"])
    found["run.json"] = {name: value for name, value in record.items() if name not in TIMES}
    return found


class Histo:
    """The command line, in this process."""

    def __init__(self) -> None:
        self.said = ""

    def __call__(self, *arguments: object, code: int = 0) -> dict[str, Any]:
        """Run `histo normalize`; its facts."""
        result = CliRunner().invoke(app, ["normalize", *map(str, arguments), "--json"])
        self.said = result.stderr
        assert result.exit_code == code, result.output
        facts: dict[str, Any] = json.loads(result.stdout)
        return facts


@pytest.fixture
def histo() -> Histo:
    return Histo()
