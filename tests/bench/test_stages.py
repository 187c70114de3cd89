"""Stages do the work that the commands do, and the slowest is found."""

import time
from pathlib import Path

import numpy as np
import pytest
import torch

from histocli.bench import (
    Material,
    Rate,
    Stage,
    find_bottleneck,
    make_stages,
    measure,
    read_material,
    scratch_folder,
    write_phantom_tiles,
)
from histocli.data.images import read_image
from histocli.data.layouts import open_source
from histocli.data.png import encode_png
from histocli.errors import InputError, SettingsError


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_phantom_tiles(tmp_path_factory.mktemp("bench") / "phantom")


@pytest.fixture(scope="module")
def material(folder: Path) -> Material:
    return read_material(open_source(folder), 24, 16)


def test_tiles_are_drawn_evenly_and_again_where_there_are_fewer(folder: Path) -> None:
    source = open_source(folder)
    few, many = read_material(source, 10, 4), read_material(source, 100, 32)
    assert list(few.indices) == list(range(0, 60, 6))
    assert (few.tiles, many.tiles) == (10, 100)
    assert set(many.indices) == set(range(60))


def test_tiles_that_cannot_be_read_are_left_out(tmp_path: Path) -> None:
    for name, color in (("a", 90), ("b", 200)):
        (tmp_path / f"{name}.png").write_bytes(encode_png(np.full((32, 32, 3), color, np.uint8)))
    (tmp_path / "broken.png").write_bytes(b"nothing")
    material = read_material(open_source(tmp_path), 30, 8)
    assert material.tiles == len(material.indices) == 20
    for name in ("a", "b"):
        (tmp_path / f"{name}.png").write_bytes(b"nothing")
    with pytest.raises(InputError, match="none of the 30 tiles"):
        read_material(open_source(tmp_path), 30, 8)


def test_stages_work_on_all_tiles_and_write_them(material: Material, tmp_path: Path) -> None:
    stages = make_stages(
        material,
        tmp_path,
        torch.device("cpu"),
        arch="test_efficientnet",
        input_size_px=32,
        batch_size=16,
        workers=2,
    )
    names = [stage.name for stage in stages]
    assert names[0] == "decode"
    assert {"stain", "stain by torch", "stain by numpy", "encode PNG", "write files"} < set(names)
    assert names[-2:] == ["prepare", "network"]
    for stage in stages:
        rate = measure(stage, 0)
        assert rate.calls == 3
        assert rate.tiles_per_second > 0
        assert stage.tiles == (16 if stage.name in ("stain by numpy", "network") else 24)
    written = sorted(tmp_path.glob("*.png"), key=lambda path: int(path.stem))
    tiles = np.concatenate(material.batches).transpose(0, 2, 3, 1)
    assert (np.stack([read_image(path) for path in written]) == tiles).all()


def test_the_rate_is_tiles_over_the_time_of_the_work() -> None:
    rate = measure(Stage("nap", "", (), 10, lambda: time.sleep(0.02)), 0.1)
    # A nap is never shorter than asked for.
    assert rate.tiles_per_second <= 500
    assert rate.calls >= 3


def test_the_bottleneck_is_the_slowest_stage_of_the_command() -> None:
    rates = [
        Rate("decode", "", ("normalize", "predict"), 100.0, 3),
        Rate("stain", "", ("normalize",), 50.0, 3),
        Rate("stain by numpy", "", (), 1.0, 3),
        Rate("network", "", ("predict",), 25.0, 3),
    ]
    found = find_bottleneck("normalize", rates, "cpu")
    assert (found.stage, round(found.share, 6)) == ("stain", round(2 / 3, 6))
    found = find_bottleneck("predict", rates, "cpu")
    assert (found.stage, round(found.share, 6)) == ("network", 0.8)
    assert "GPU" in found.advice
    assert "GPU" not in find_bottleneck("predict", rates, "cuda").advice


def test_nothing_is_left_and_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with scratch_folder(tmp_path) as scratch:
        (scratch / "tile.png").write_bytes(b"")
    assert not list(tmp_path.iterdir())
    # The kernel's own folder refuses files, even of root.
    with pytest.raises(SettingsError, match="/proc"), scratch_folder(Path("/proc/self")):
        pass
