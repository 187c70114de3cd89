import csv
import json
from dataclasses import replace
from importlib import resources
from pathlib import Path

import jsonschema
import pytest
import torch
from PIL import Image

from histocli.data.layouts import open_source
from histocli.data.loading import SkippedTile
from histocli.data.phantom import write_phantom
from histocli.errors import InputError, SettingsError
from histocli.explain.audit_run import AuditPlan
from histocli.explain.explain import explain_tiles
from histocli.models.classifier import ModelCard, TileClassifier
from histocli.models.preprocessing import PreprocessingConstants

CONSTANTS = PreprocessingConstants(64, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_an_explanation_leaves_maps_table_summary_and_picture(tmp_path: Path, task: str) -> None:
    data = tmp_path / "data"
    write_phantom(data, tiles=60, task=task, seed=3)  # type: ignore[arg-type] # one of the two
    source = open_source(data / "train")
    classes = tuple(sorted({tile.label or "" for tile in source.tiles}))
    card = ModelCard(
        "test_resnet", classes, classes[-1], CONSTANTS, operating_point={"threshold": 0.5}
    )
    torch.manual_seed(0)
    model = TileClassifier(card).eval()
    indices = list(range(len(source.tiles)))
    results = []
    for name in ("one", "two"):
        skipped: list[SkippedTile] = []
        output = tmp_path / name
        results.append(
            explain_tiles(model, card, source, indices, output, skipped=skipped, pictures=4)
        )
        # The truncated file that the phantom plants.
        assert len(skipped) == 1
    written = json.loads((tmp_path / "one" / "attention.json").read_text())
    schema = json.loads(
        (resources.files("histocli") / "schemas" / "attention.schema.json").read_text()
    )
    jsonschema.validate(written, schema)
    assert written["tiles"] == len(indices) - 1
    assert sum(group["n"] for group in written["groups"].values()) == len(indices) - 1
    assert (written["explained"]["class"] is None) == (task == "multiclass")
    with (tmp_path / "one" / "attention.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(indices) - 1
    for row in rows:
        with Image.open(tmp_path / "one" / row["map_file"]) as attention:
            assert attention.size == (96, 96)
    with Image.open(tmp_path / "one" / "gradcam_analysis.png") as picture:
        assert picture.width > 600
    files = [p.relative_to(tmp_path / "one") for p in (tmp_path / "one").rglob("*") if p.is_file()]
    for path in files:
        assert (tmp_path / "one" / path).read_bytes() == (tmp_path / "two" / path).read_bytes(), (
            path
        )


@pytest.mark.parametrize(
    "method", ["gradcam", pytest.param("integrated-gradients", marks=pytest.mark.slow)]
)
def test_an_audit_is_written_beside_the_shares_and_gone_without_it(
    tmp_path: Path, method: str
) -> None:
    data = tmp_path / "data"
    write_phantom(data, tiles=60, seed=3, faults=False, size_px=64)
    source = open_source(data / "test")
    # A threshold of 0: every tile is taken for the explained class.
    card = ModelCard(
        "test_resnet", ("normal", "tumor"), "tumor", CONSTANTS, operating_point={"threshold": 0.0}
    )
    torch.manual_seed(0)
    model = TileClassifier(card).eval()
    said: list[str] = []
    output, indices = tmp_path / "out", list(range(len(source.tiles)))[::2]
    plan = AuditPlan(4, shuffled=TileClassifier(card).eval(), say=said.append)
    result = explain_tiles(
        model, card, source, indices, output, skipped=[], pictures=1, method=method, audit=plan
    )
    schema = json.loads(
        (resources.files("histocli") / "schemas" / "attention.schema.json").read_text()
    )
    jsonschema.validate(json.loads((output / "attention.json").read_text()), schema)
    assert [text.partition(":")[0] for text in said] == ["faithfulness", *["sanity"] * 3]
    names = [check["name"] for check in result["audit"]["verdict"]["checks"]]
    # The phantom's table says that labels are those of the center.
    assert names[:2] == ["skill", "location"]
    assert "shuffled labels" in names
    assert (output / "faithfulness.png").is_file()
    explain_tiles(model, card, source, indices[:2], output, skipped=[], pictures=1)
    assert not (output / "faithfulness.png").exists()
    with pytest.raises(SettingsError, match="--evidence tumor: nothing is known"):
        explain_tiles(
            model, card, source, indices, output, skipped=[], audit=AuditPlan(4, evidence="tumor")
        )
    never = replace(card, operating_point={"threshold": 1.1})
    with pytest.raises(InputError, match="no evidence to test"):
        explain_tiles(model, never, source, indices, output, skipped=[], audit=AuditPlan(4))


def test_a_center_that_is_larger_than_the_tiles_is_refused(tmp_path: Path) -> None:
    write_phantom(tmp_path / "data", tiles=60, seed=3, faults=False, size_px=64)
    source = open_source(tmp_path / "data")
    card = ModelCard(
        "test_resnet", ("normal", "tumor"), "tumor", CONSTANTS, operating_point={"threshold": 0.5}
    )
    model = TileClassifier(card).eval()
    with pytest.raises(SettingsError, match="65 px does not lie within tiles of 64x64 px"):
        explain_tiles(model, card, source, [0, 1], tmp_path / "out", skipped=[], center_px=65)
