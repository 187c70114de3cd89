"""What only the whole data set tells: sizes, relative sharpness, copies, fitted thresholds."""

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from histocli.data.phantom import PHANTOM_SCANNERS, phantom_tile
from histocli.data.writing import write_tile
from histocli.qc.result import QCResult
from histocli.qc.thresholds import Thresholds

Check = Callable[..., QCResult]


def rows_of(result: QCResult) -> dict[str, dict[str, str]]:
    with result.table.open(newline="") as file:
        return {row["tile"]: row for row in csv.DictReader(file)}


def tissue(seed: int, size_px: int = 64) -> NDArray[np.uint8]:
    generator = np.random.default_rng(seed)
    return phantom_tile("tumor", PHANTOM_SCANNERS["alpha"], generator, size_px).pixels


def write(folder: Path, tiles: dict[str, NDArray[np.uint8]]) -> Path:
    for name, pixels in tiles.items():
        write_tile(folder / name, pixels)
    return folder


def sound(count: int) -> dict[str, NDArray[np.uint8]]:
    return {f"{number:03d}.png": tissue(number) for number in range(count)}


def reasons_of(result: QCResult) -> dict[str, str]:
    return {name: row["reasons"] for name, row in rows_of(result).items() if row["reasons"]}


def test_a_tile_of_another_size_fails(check: Check, tmp_path: Path) -> None:
    data = write(tmp_path / "data", {**sound(12), "x.png": tissue(99, 80)})
    assert reasons_of(check(data, tmp_path / "o")) == {"x.png": "wrong_size"}
    row = rows_of(QCResult.read(tmp_path / "o"))["x.png"]
    assert (row["height_px"], row["width_px"]) == ("80", "80")


def test_copies_in_every_orientation_are_near_duplicates(check: Check, tmp_path: Path) -> None:
    original = tissue(3)
    turned = [np.rot90(original, k) for k in range(1, 4)]
    turned += [np.rot90(original[::-1], k) for k in range(4)]
    copies = {f"copy{number}.png": tile.copy() for number, tile in enumerate(turned)}
    result = check(write(tmp_path / "data", {**sound(12), **copies}), tmp_path / "o")
    assert reasons_of(result) == dict.fromkeys(copies, "near_duplicate")
    assert result.content["near_duplicate_sets"] == 1
    assert {row["kept_instead"] for row in rows_of(result).values()} == {"", "003.png"}


def test_a_turned_copy_in_another_split_is_a_leak(check: Check, tmp_path: Path) -> None:
    tiles = {f"train/tumor/{name}": pixels for name, pixels in sound(12).items()}
    tiles["test/tumor/other.png"] = tissue(50)
    tiles["test/tumor/turned.png"] = np.rot90(tiles["train/tumor/004.png"]).copy()
    result = check(write(tmp_path / "data", tiles), tmp_path / "o")
    assert result.content["leaks"] == [
        {
            "kind": "near",
            "tiles": ["test/tumor/turned.png", "train/tumor/004.png"],
            "splits": ["test", "train"],
        }
    ]
    assert result.warnings[0].startswith("leak: 1 set of nearly identical tiles")
    assert reasons_of(result) == {"train/tumor/004.png": "near_duplicate"}


def test_a_distance_of_nothing_finds_only_what_hashes_alike(check: Check, tmp_path: Path) -> None:
    softened = np.asarray(Image.fromarray(tissue(3)).resize((60, 60)).resize((64, 64)))
    data = write(tmp_path / "data", {**sound(6), "soft.png": softened})
    near = check(data, tmp_path / "o", judging={"distance": 7})
    assert near.by_reason.get("near_duplicate") == 1
    strict = check(data, tmp_path / "p", Thresholds(minimum_relative_sharpness=0.0))
    assert strict.by_reason.get("near_duplicate") == 1


def test_blank_tiles_are_no_near_duplicates_of_each_other(check: Check, tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    blank = {
        f"b{k}.png": generator.integers(238, 244, (64, 64, 3)).astype(np.uint8) for k in range(4)
    }
    result = check(write(tmp_path / "data", {**sound(5), **blank}), tmp_path / "o")
    assert result.by_reason == {"background": 4}


def test_blur_is_judged_beside_the_other_tiles(check: Check, tmp_path: Path) -> None:
    tiles = sound(24)
    soft = Image.fromarray(tissue(40)).filter(ImageFilter.GaussianBlur(1.5))
    result = check(
        write(tmp_path / "data", {**tiles, "soft.png": np.asarray(soft)}), tmp_path / "o"
    )
    row = rows_of(result)["soft.png"]
    assert float(row["sharpness"]) > Thresholds().minimum_sharpness
    assert row["reasons"] == "blur"
    few = write(tmp_path / "few", {"a.png": tissue(1), "soft.png": np.asarray(soft)})
    assert rows_of(check(few, tmp_path / "p"))["soft.png"]["relative_sharpness"] == ""


def test_each_size_of_tiles_has_a_sharpness_of_its_own(check: Check, tmp_path: Path) -> None:
    def enlarged(seed: int) -> np.ndarray:
        return np.asarray(
            Image.fromarray(tissue(seed)).resize((112, 112), Image.Resampling.BICUBIC)
        )

    large = {f"large{seed}.png": enlarged(seed) for seed in range(50, 74)}
    soft = Image.fromarray(enlarged(80)).filter(ImageFilter.GaussianBlur(3))
    tiles = {**sound(24), **large, "soft.png": np.asarray(soft)}
    result = check(write(tmp_path / "data", tiles), tmp_path / "o")
    assert reasons_of(result) == {"soft.png": "blur"}
    few = {**sound(24), "large.png": enlarged(50)}
    rows = rows_of(check(write(tmp_path / "few", few), tmp_path / "p"))
    assert float(rows["large.png"]["relative_sharpness"]) < 0.7


@pytest.mark.parametrize("fit", [False, True])
def test_fit_sets_the_thresholds_that_the_summary_states(
    fit: bool, check: Check, tmp_path: Path
) -> None:
    data = write(tmp_path / "data", sound(60))
    keep = frozenset({"maximum_mean_density"})
    result = check(data, tmp_path / "o", judging={"fit": fit, "keep": keep})
    found = result.content["thresholds"]
    assert (found["minimum_sharpness"] != Thresholds().minimum_sharpness) == fit
    assert found["maximum_mean_density"] == Thresholds().maximum_mean_density
    assert result.failed <= 2
