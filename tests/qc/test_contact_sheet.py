"""The picture of the rejects."""

from pathlib import Path

import numpy as np
from PIL import Image

from histocli.qc.contact_sheet import (
    CAPTION_CHARACTERS,
    RejectedTile,
    choose_tiles,
    shortened,
    write_contact_sheet,
)


def rejected(reason: str, count: int, start: int = 0) -> list[RejectedTile]:
    return [RejectedTile(start + i, f"{reason}/{i}.png", reason, "caption") for i in range(count)]


def test_rare_reasons_are_shown_whole_and_common_ones_spread() -> None:
    chosen = choose_tiles([*rejected("blur", 500), *rejected("dark", 3, 500)], maximum=20)
    assert list(chosen) == ["blur", "dark"]
    assert len(chosen["dark"]) == 3
    assert len(chosen["blur"]) == 17
    assert [tile.index for tile in chosen["blur"]][:2] == [0, 29]
    assert chosen["blur"][-1].index > 450


def test_few_rejects_are_all_shown() -> None:
    assert sum(map(len, choose_tiles(rejected("dark", 4)).values())) == 4
    assert choose_tiles([]) == {}


def test_sheet_shows_the_tiles_and_is_the_same_each_time(tmp_path: Path) -> None:
    tiles = [*rejected("blur", 3), *rejected("unreadable", 1, 3)]
    red = np.zeros((96, 96, 3), np.uint8)
    red[..., 0] = 200
    pixels = dict.fromkeys(range(3), red)
    for name in ("one.png", "two.png"):
        totals = {"blur": 3, "unreadable": 1}
        write_contact_sheet(tmp_path / name, choose_tiles(tiles), totals, pixels)
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
    drawn = np.asarray(Image.open(tmp_path / "one.png").convert("RGB"))
    assert 3 * 120**2 < (drawn == [200, 0, 0]).all(axis=2).sum() < 3 * 130**2


def test_tiles_of_any_shape_fit(tmp_path: Path) -> None:
    tiles = rejected("dark", 3)
    shapes = [(1, 1, 3), (300, 40, 3), (512, 512, 3)]
    pixels = {index: np.zeros(shape, np.uint8) for index, shape in enumerate(shapes)}
    write_contact_sheet(tmp_path / "sheet.png", choose_tiles(tiles), {"dark": 3}, pixels)
    assert (tmp_path / "sheet.png").is_file()


def test_long_names_keep_their_end() -> None:
    assert shortened("train/normal/a.png") == "a.png"
    cut = shortened("x" * 60 + "_0042.png")
    assert len(cut) == CAPTION_CHARACTERS
    assert cut.startswith("…")
    assert cut.endswith("_0042.png")
