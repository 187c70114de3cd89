from pathlib import Path

from PIL import Image

from histocli.data.layouts import open_source
from histocli.data.phantom import write_phantom
from histocli.qc.suspicious_sheet import write_suspicious_sheet


def test_the_sheet_shows_the_doubted_tiles_and_goes_when_none_is(tmp_path: Path) -> None:
    write_phantom(tmp_path / "data", tiles=60, seed=0)
    source = open_source(tmp_path / "data")
    doubted = [
        {
            "tile": tile.id,
            "label": tile.label,
            "suspected": "other",
            "probability_of_label": 0.1,
            "probability_of_suspected": 0.9,
        }
        for tile in source.tiles[:5]
    ]
    path = tmp_path / "sheet.png"
    assert write_suspicious_sheet(path, source, doubted) == path
    with Image.open(path) as sheet:
        few = sheet.size
    write_suspicious_sheet(path, source, [*doubted, *doubted, *doubted])
    with Image.open(path) as sheet:
        assert sheet.size[0] * sheet.size[1] > few[0] * few[1]
    assert write_suspicious_sheet(path, source, []) is None
    assert not path.exists()
