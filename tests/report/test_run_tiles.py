"""Tiles before and after stain normalization, and the check of the data, on the page."""

import base64
import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from histocli.report.collect import collect_run
from histocli.report.page import write_page
from histocli.report.run_tables import quality_table
from histocli.report.run_tiles import GAP_PX, SIDE_PX, RunTiles, stain_picture

FOUND = {
    "tiles": 1200,
    "passed": 1100,
    "failed": 100,
    "by_reason": {"blur": 90, "over_stained": 10},
    "leaks": [{"kind": "near", "tiles": ["a", "b"], "splits": ["train", "test"]}],
    "groups_across_splits": {},
    "contradictory_labels": 3,
    "warnings": ["blur hits one class more than <the other>"],
}


def plain(color: tuple[int, int, int]) -> bytes:
    output = io.BytesIO()
    Image.new("RGB", (96, 96), color).save(output, "PNG")
    return output.getvalue()


def test_each_tile_stands_above_itself_normalized() -> None:
    red, green, blue, white = ((200, 0, 0), (0, 200, 0), (0, 0, 200), (250, 250, 250))
    picture = stain_picture([(plain(red), plain(green)), (plain(blue), plain(white))])
    assert picture is not None
    kind, _, encoded = picture.uri.partition(",")
    assert kind == "data:image/jpeg;base64"
    content = base64.b64decode(encoded)
    sheet = np.asarray(Image.open(io.BytesIO(content)))
    # At their edges, where subsampled colors would run into each other.
    step = SIDE_PX + GAP_PX
    corners = [(0, 0), (step, 0), (0, step), (step, step)]
    found = [sheet[row, column] for row, column in corners]
    # A photograph's colors are its tile's but for a grey level or two.
    np.testing.assert_allclose(found, [red, green, blue, white], atol=2)
    assert stain_picture([]) is None


def test_the_check_beside_the_data_is_told(make_run: Callable[..., Path], tmp_path: Path) -> None:
    run = make_run()
    assert quality_table(collect_run(run)) is None
    record = json.loads((run / "run.json").read_text())
    data = tmp_path / "tiles"
    record["inputs"] = {"data": {"path": str(data), "tiles": 1200}}
    (run / "run.json").write_text(json.dumps(record))
    (tmp_path / "tiles-qc").mkdir()
    (tmp_path / "tiles-qc" / "qc.json").write_text(json.dumps(FOUND))
    table = quality_table(collect_run(run))
    assert table is not None
    rows = {row[0]: row[1] for row in table.rows}
    assert rows["Tiles checked"] == "1,200"
    assert rows["Rejected: over stained"] == "10"
    assert rows["Tiles or twins in several splits"] == "1"
    assert rows["Identical tiles with different labels"] == "3"
    pairs = [(plain((200, 0, 0)), plain((0, 200, 0)))]
    page = write_page(
        [collect_run(run)], tmp_path / "report.html", tiles={run: RunTiles(stain=pairs)}
    ).read_text()
    assert "Quality control" in page
    assert "not left out" in page
    assert "more than &lt;the other&gt;" in page
    assert "as the network sees them" in page
    # Where the data lies is not handed on.
    assert str(data) not in page
