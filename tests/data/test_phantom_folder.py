"""The phantom as a data set: what histo reads of it, and that it is the same each time."""

import csv
from pathlib import Path

import numpy as np
import pytest

from histocli.data.layouts import open_source
from histocli.data.phantom import write_phantom
from histocli.data.splitting import groups_across_splits
from histocli.data.tiles import SPLITS
from histocli.errors import SettingsError, UnreadableTileError


@pytest.fixture(scope="module")
def binary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("phantom") / "data"
    write_phantom(folder, tiles=60, seed=1)
    return folder


def content(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_it_opens_with_labels_groups_and_splits(binary: Path) -> None:
    source = open_source(binary)
    assert source.layout == "class-folders"
    assert len(source.tiles) == 60
    for split, tiles in zip(SPLITS, (36, 12, 12), strict=True):
        chosen = [tile for tile in source.tiles if tile.split == split]
        assert len(chosen) == tiles
        assert {tile.label for tile in chosen} == {"normal", "tumor"}
        assert {tile.extra["scanner"] for tile in chosen} == {"alpha", "beta"}
    assert all(tile.group for tile in source.tiles)
    assert all(tile.label == tile.id.split("/")[1] for tile in source.tiles)


def test_no_slide_lies_in_two_splits(binary: Path) -> None:
    assert groups_across_splits(open_source(binary).tiles) == {}


def test_classes_are_balanced_within_each_scanner(binary: Path) -> None:
    tiles = open_source(binary).tiles
    for scanner in ("alpha", "beta"):
        labels = [tile.label for tile in tiles if tile.extra["scanner"] == scanner]
        assert abs(labels.count("tumor") - labels.count("normal")) <= 1


def test_the_label_is_what_the_table_says_of_the_center(binary: Path) -> None:
    for tile in open_source(binary).tiles:
        if tile.extra["fault"] in ("", "blur", "duplicate"):
            assert (tile.extra["tumor_in_center"] == "True") == (tile.label == "tumor")


def test_same_seed_same_bytes(binary: Path, tmp_path: Path) -> None:
    write_phantom(tmp_path / "again", tiles=60, seed=1)
    assert content(tmp_path / "again") == content(binary)


def test_another_seed_gives_other_tiles(binary: Path, tmp_path: Path) -> None:
    write_phantom(tmp_path / "other", tiles=60, seed=2)
    same = set(content(binary).values()) & set(content(tmp_path / "other").values())
    assert len(same) == 1  # the black one


def test_each_fault_is_planted_once_and_only_in_train(binary: Path) -> None:
    source = open_source(binary)
    planted = {t.extra["fault"]: (i, t) for i, t in enumerate(source.tiles) if t.extra["fault"]}
    assert set(planted) == {"blank", "black", "blur", "duplicate", "truncated"}
    assert {tile.split for _, tile in planted.values()} == {"train"}
    assert sum(bool(tile.extra["fault"]) for tile in source.tiles) == 5
    with pytest.raises(UnreadableTileError):
        source.read(planted["truncated"][0])
    assert source.read(planted["black"][0]).max() == 0
    assert source.read(planted["blank"][0]).min() > 225
    files = list(content(binary).values())
    assert len(files) - len(set(files)) == 1


def test_without_faults_every_tile_is_sound(tmp_path: Path) -> None:
    facts = write_phantom(tmp_path / "sound", tiles=60, faults=False)
    source = open_source(tmp_path / "sound")
    assert facts["faults"] == {}
    assert not any(tile.extra["fault"] for tile in source.tiles)
    pixels = [source.read(index) for index in range(len(source.tiles))]
    assert len({tile.tobytes() for tile in pixels}) == 60
    assert min(float(np.std(tile)) for tile in pixels) > 15


def test_four_tissues_and_three_scanners(tmp_path: Path) -> None:
    done: list[int] = []
    facts = write_phantom(
        tmp_path / "many",
        tiles=60,
        task="multiclass",
        size_px=64,
        scanners=("alpha", "beta", "gamma"),
        progress=done.append,
    )
    assert sum(done) == 60
    assert facts["splits"]["test"] == {"glands": 3, "lymphocytes": 3, "stroma": 3, "tumor": 3}
    with (tmp_path / "many" / "labels.csv").open() as file:
        rows = list(csv.DictReader(file))
    for split in SPLITS:
        found = {row["scanner"] for row in rows if row["split"] == split}
        assert found == {"alpha", "beta", "gamma"}


def test_a_folder_in_use_is_refused(binary: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="--overwrite"):
        write_phantom(binary, tiles=60)
    (tmp_path / "thesis.txt").write_text("mine")
    for overwrite in (False, True):
        with pytest.raises(SettingsError, match="no phantom"):
            write_phantom(tmp_path, tiles=60, overwrite=overwrite)
    assert (tmp_path / "thesis.txt").read_text() == "mine"


def test_an_interrupted_phantom_is_begun_anew(tmp_path: Path) -> None:
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_phantom(tmp_path / "data", tiles=64, size_px=64, progress=interrupt)
    write_phantom(tmp_path / "data", tiles=60, size_px=64)
    write_phantom(tmp_path / "fresh", tiles=60, size_px=64)
    assert content(tmp_path / "data") == content(tmp_path / "fresh")


def test_overwrite_leaves_nothing_of_the_earlier_phantom(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    write_phantom(folder, tiles=64, size_px=64)
    write_phantom(folder, tiles=60, size_px=64, overwrite=True)
    write_phantom(tmp_path / "fresh", tiles=60, size_px=64)
    assert content(folder) == content(tmp_path / "fresh")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"tiles": 10}, "too few"),
        ({"task": "regression"}, "unknown task"),
        ({"seed": -1}, "seed"),
        ({"scanners": ("alpha", "omega")}, "omega"),
        ({"scanners": ()}, "no scanner"),
    ],
)
def test_impossible_arguments_are_refused(
    arguments: dict[str, object], message: str, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match=message):
        write_phantom(tmp_path / "data", **arguments)  # type: ignore[arg-type]
    assert not (tmp_path / "data").exists()
