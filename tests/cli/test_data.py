"""`histo data` by the command line."""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from histocli.cli.app import app
from histocli.data.layouts import LAYOUTS
from tests.data.layouts.examples import EXAMPLES, class_folders, draw, encode


def histo(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.mark.parametrize("layout", sorted(LAYOUTS))
def test_describe_names_layout_and_classes(layout: str, tmp_path: Path) -> None:
    example = EXAMPLES[layout](tmp_path)
    table = histo("data", "describe", example.path)
    assert table.exit_code == 0, table.output
    assert f"layout {layout}" in table.stdout
    facts = json.loads(histo("data", "describe", example.path, "--json").stdout)
    assert (facts["layout"], facts["tiles"]) == (layout, len(example.tiles))
    for label in facts["classes"]:
        assert label in table.stdout


def test_describe_forces_a_layout_and_samples(tmp_path: Path) -> None:
    class_folders(tmp_path)
    result = histo("data", "describe", tmp_path, "--layout", "images", "--sample", 2, "--json")
    facts = json.loads(result.stdout)
    assert (facts["layout"], facts["classes"], facts["sampled"]) == ("images", [], 2)
    assert histo("data", "describe", tmp_path, "--layout", "zip").exit_code == 3
    assert histo("data", "describe", tmp_path, "--layout", "tar").exit_code == 2


def test_index_then_verify(tmp_path: Path) -> None:
    data = tmp_path / "data"
    class_folders(data)
    written = histo("data", "index", data)
    assert written.exit_code == 0, written.output
    index = tmp_path / "data-index.csv"
    assert f"wrote {index}: 4 tiles" in written.stdout
    again = histo("data", "index", data)
    assert again.exit_code == 2
    assert "--verify" in again.stderr
    same = histo("data", "index", data, "--verify")
    assert same.exit_code == 0
    assert "4 of 4 entries are the same" in same.stdout
    (data / "train/tumor/b.tif").write_bytes(encode(draw(1, 5)[0], "TIFF"))
    shutil.rmtree(data / "valid")
    changed = histo("data", "index", data, "--verify")
    assert changed.exit_code == 3
    assert "train/tumor/b.tif" in changed.stdout
    facts = json.loads(histo("data", "index", data, "--verify", "--json").stdout)
    assert facts["changed"] == ["train/tumor/b.tif"]
    assert facts["missing"] == ["valid/normal/c.webp"]
    assert histo("data", "index", data, "--overwrite", "--without-pixels").exit_code == 0
    assert histo("data", "index", data, "--verify", "--without-pixels").exit_code == 0


def test_verify_without_an_index_says_how_to_write_one(tmp_path: Path) -> None:
    class_folders(tmp_path / "data")
    result = histo("data", "index", tmp_path / "data", "--verify")
    assert result.exit_code == 3
    assert "write it with `histo data index`" in result.stderr.replace("\n", " ")


def test_fetch_is_refused_offline_and_for_unknown_names(tmp_path: Path) -> None:
    # Tests run with HF_HUB_OFFLINE=1.
    result = histo("data", "fetch", "pcam", "--output", tmp_path / "pcam")
    assert result.exit_code == 2
    assert "HF_HUB_OFFLINE=1 forbids the network" in result.stderr.replace("\n", " ")
    assert not (tmp_path / "pcam").exists()
    unknown = histo("data", "fetch", "camelyon", "--json")
    assert unknown.exit_code == 2
    assert "choose one of" in json.loads(unknown.stdout)["error"]


@pytest.mark.parametrize("command", ["describe", "index", "fetch"])
def test_every_command_has_help_with_an_example(command: str) -> None:
    result = CliRunner().invoke(app, ["data", command, "--help"], env={"COLUMNS": "100"})
    assert result.exit_code == 0
    assert "Example" in result.output
