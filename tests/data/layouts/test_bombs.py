"""Files that are small and unpack to far more: refused by name before memory or disk is full."""

import gzip
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from histocli.data.layouts import bombs, open_source
from histocli.errors import InputError
from tests.data.layouts.examples import PCAM, draw, encode, kaggle, write_csv

ZEROS = 2_000_000


@pytest.fixture(autouse=True)
def small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bombs, "COUNTS_FROM_BYTES", 1_000_000)


def gzip_of_zeros(folder: Path) -> Path:
    path = folder / f"{PCAM}train_x.h5.gz"
    path.write_bytes(gzip.compress(bytes(ZEROS)))
    return path


def npz_of_zeros(folder: Path) -> Path:
    path = folder / "pathmnist.npz"
    np.savez_compressed(path, train_images=np.zeros((ZEROS // 2352, 28, 28, 3), np.uint8))
    return path


def npz_of_labels(folder: Path) -> Path:
    path = folder / "pathmnist.npz"
    np.savez_compressed(path, train_images=draw(2), train_labels=np.zeros(ZEROS, np.uint8))
    return path


def parquet_of_zeros(folder: Path) -> Path:
    path = folder / "train.parquet"
    table = pa.table({"image": pa.array([bytes(ZEROS)] * 3)})
    pq.write_table(table, path, compression="zstd", use_dictionary=False)
    return path


def kaggle_with_a_bomb(folder: Path) -> Path:
    kaggle(folder)
    with zipfile.ZipFile(folder / "train.zip", "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.tif", bytes(20_000_000))
    return folder


BOMBS: dict[str, tuple[Callable[[Path], Path], str]] = {
    "patchcamelyon, packed": (gzip_of_zeros, r"train_x\.h5\.gz: it unpacks to more than 500 times"),
    "medmnist": (npz_of_zeros, r"pathmnist\.npz: the array train_images: it unpacks"),
    "medmnist, labels": (npz_of_labels, r"pathmnist\.npz: the array train_labels: it unpacks"),
    "huggingface": (parquet_of_zeros, r"train\.parquet: the column image: it unpacks"),
    "kaggle": (kaggle_with_a_bomb, r"train\.zip: .*'bomb\.tif': it unpacks to [\d,]+ times"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_by_name_and_leaves_nothing(tmp_path: Path, name: str) -> None:
    write, message = BOMBS[name]
    path = write(tmp_path)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(InputError, match=message):
        open_source(path)
    assert sorted(tmp_path.iterdir()) == before


def test_what_tissue_packs_to_is_no_bomb(tmp_path: Path) -> None:
    path = tmp_path / "pathmnist.npz"
    np.savez_compressed(path, train_images=draw(800, 0, 28))
    assert len(open_source(path).tiles) == 800


def test_chunks_that_fill_the_memory_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "huge.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset(
            "x", (200_000, 96, 96, 3), "u1", chunks=(50_000, 96, 96, 3), compression="gzip"
        )
    with pytest.raises(InputError, match=r"huge\.h5: x is stored in chunks of 1\.4 GB"):
        open_source(path)


@pytest.mark.parametrize("part", ["train.zip", "test.zip"])
def test_kaggles_archives_are_checked_as_any_other(tmp_path: Path, part: str) -> None:
    kaggle(tmp_path)
    with zipfile.ZipFile(tmp_path / part, "a") as archive:
        archive.writestr("../escape.tif", encode(draw(1)[0], "TIFF"))
    with pytest.raises(InputError, match=rf"{part}: .*'\.\./escape\.tif': its path leads out"):
        open_source(tmp_path)


def test_a_table_in_an_archive_leads_nowhere_else(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.png", encode(draw(1)[0]))
        archive.writestr("labels.csv", "tile,label\n../../etc/passwd.png,tumor\n")
    with pytest.raises(InputError, match=r"labels\.csv: line 2"):
        open_source(tmp_path / "a.zip")


def test_an_archive_that_a_manifest_names_is_checked_too(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("x.png", encode(draw(1)[0]))
        archive.writestr("/absolute.png", encode(draw(1)[0]))
    write_csv(tmp_path / "tiles.csv", ["tile", "label"], [["a.zip#x.png", "tumor"]])
    with pytest.raises(InputError, match=r"a\.zip: .*'/absolute\.png': its path is absolute"):
        open_source(tmp_path / "tiles.csv")


def test_an_array_whose_size_overflows_is_refused(tmp_path: Path) -> None:
    """Its product, of 64 bits, is nothing: as much as the member holds."""
    header = "{'descr': '|u1', 'fortran_order': False, 'shape': (1099511627776, 4096, 4096)}"
    member = (
        b"\x93NUMPY\x01\x00" + (len(header) + 1).to_bytes(2, "little") + header.encode() + b"\n"
    )
    path = tmp_path / "tiles.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("train_images.npy", member)
    with pytest.raises(InputError, match=r"tiles\.npz: .*train_images is not as long"):
        open_source(path)


def test_more_tiles_than_bytes_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bombs, "ROWS_COUNT_FROM", 1000)
    np.savez_compressed(tmp_path / "tiles.npz", train_images=np.zeros((200_000, 1, 1, 3), np.uint8))
    with pytest.raises(InputError, match=r"tiles\.npz: .* it says that it has 200,000 tiles"):
        open_source(tmp_path / "tiles.npz")
    table = pa.table({"image": pa.array([b"x"] * 200_000)})
    pq.write_table(table, tmp_path / "train.parquet", compression="zstd")
    with pytest.raises(InputError, match=r"train\.parquet: it says that it has 200,000 tiles"):
        open_source(tmp_path / "train.parquet")
