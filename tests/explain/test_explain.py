import csv
import json
from importlib import resources
from pathlib import Path

import jsonschema
import pytest
import torch
from PIL import Image

from histocli.data.layouts import open_source
from histocli.data.loading import SkippedTile
from histocli.data.phantom import write_phantom
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
